//! The migrations are embedded by a macro that doesn't see a new file by itself.
fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
