//! `naru`: the operators' and developers' command line.

mod dead;
mod demo_payer;
mod events;
mod http;
mod merchant;
mod migrate;
mod pay;
mod payer;
mod payment;
mod seed;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Naru's command line.
#[derive(Parser)]
#[command(name = "naru", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Applies the migrations that Postgres lacks (DATABASE_URL).
    Migrate,
    /// Makes the demo merchant and payer of the sandbox and prints keys, the owner's login and the payer's (DATABASE_URL, NARU_MASTER_SECRET).
    SeedDemo,
    /// Makes a merchant and prints the invitation of its first owner (DATABASE_URL).
    NewMerchant(merchant::NewMerchantOptions),
    /// Invites an owner of a merchant whose own can't get in, and prints the invitation (DATABASE_URL).
    InviteOwner(merchant::InviteOwnerOptions),
    /// Makes a payment and shows its events as they happen (NARU_API_URL, NARU_SECRET_KEY).
    Pay(pay::Pay),
    /// Lists dead letters and stuck payments, replays a letter, or says how its work ended (NARU_OPS_URL, NARU_OPS_TOKEN).
    Dead(dead::Dead),
    /// Shows everything that was done about one payment (NARU_OPS_URL, NARU_OPS_TOKEN).
    Payment(payment::Payment),
}

/// What went wrong, for a person.
type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Migrate => migrate::run().await,
        Command::SeedDemo => seed::run().await,
        Command::NewMerchant(options) => options.run().await,
        Command::InviteOwner(options) => options.run().await,
        Command::Pay(pay) => pay.run().await,
        Command::Dead(dead) => dead.run().await,
        Command::Payment(payment) => payment.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("naru: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// The value of a variable that a command can't do without.
fn needed(name: &str) -> Result<String, Box<dyn std::error::Error>> {
    naru_shared::system::environment(name)
        .ok_or_else(|| format!("{name} is not set; `cargo xtask up` writes it to target/stack/env").into())
}
