//! Which images, which versions, and whether what they run is in them.

use std::collections::BTreeSet;

use crate::compose::{read, root, services, text, yaml};

const DOCKERFILE: &str = "deploy/containers/naru.Dockerfile";

/// `17-bookworm` as `(17, 0)`, `7.4-bookworm` as `(7, 4)`.
fn version(tag: &str) -> (u32, u32) {
    let number = tag.split('-').next().unwrap();
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    (major.parse().unwrap(), minor.split('.').next().unwrap().parse().unwrap())
}

#[test]
fn versions_are_pinned_and_not_below_what_naru_needs() {
    let least = [("postgres", (15, 0)), ("redis", (7, 0)), ("rabbitmq", (3, 10)), ("nginx", (1, 28))];
    for (name, least) in least {
        let service = services().into_iter().find(|service| service.image().0 == name).unwrap();
        let tag = service.image().1;
        assert!(version(&tag) >= least, "{name}:{tag}");
    }
    for service in services() {
        let (name, tag) = service.image();
        assert!(tag != "latest" && !name.contains('/'), "{name}:{tag}");
        if service.program().is_some() {
            assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{name}");
        }
    }
}

#[test]
fn every_program_is_built_and_is_in_its_image() {
    let dockerfile = read(DOCKERFILE);
    for service in services() {
        let Some(build) = service.get("build") else { continue };
        assert_eq!((text(&build["context"]).as_str(), text(&build["dockerfile"]).as_str()), (".", DOCKERFILE));
        let target = text(&build["target"]);
        let stage =
            dockerfile.split("\nFROM ").find(|stage| stage.starts_with(&format!("runtime AS {target}\n"))).unwrap();
        let binary = if target == "cli" { "naru".to_owned() } else { format!("naru-{target}") };
        assert!(
            stage.contains(&format!("COPY --from=build /naru/target/release/{binary} /usr/local/bin/\n")),
            "{target}"
        );
        assert!(stage.contains(&format!("ENTRYPOINT [\"{binary}\"]")), "{target}");
        assert_eq!(dockerfile.matches(&format!("-p naru-{target}")).count(), 2, "{target}");
    }
}

#[test]
fn the_dependency_layer_knows_every_member() {
    let dockerfile = read(DOCKERFILE);
    let manifest = read("Cargo.toml");
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let members: BTreeSet<&str> = members.split(',').map(|member| member.trim().trim_matches('"')).collect();
    let copied: BTreeSet<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY ")?.split_once("/Cargo.toml "))
        .map(|(m, _)| m)
        .collect();
    assert_eq!(copied, members);
    let standing_in = dockerfile.split_once("for member in ").unwrap().1.split_once(';').unwrap().0;
    assert_eq!(standing_in.split(' ').collect::<BTreeSet<_>>(), members);
}

#[test]
fn the_compiler_is_new_enough_and_images_name_no_host() {
    let dockerfile = read(DOCKERFILE);
    let manifest = read("Cargo.toml");
    let needed = manifest.split_once("rust-version = \"").unwrap().1.split_once('"').unwrap().0;
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let image = line.split(' ').next().unwrap();
        assert!(!image.contains('/'), "{image}");
        if let Some(tag) = image.strip_prefix("rust:") {
            assert!(version(tag) >= version(needed), "{image} is older than {needed}");
        }
    }
}

#[test]
fn the_build_sees_what_it_needs_and_no_secrets() {
    let ignored = read(".dockerignore");
    let lines: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "what is not named is not sent");
    for kept in lines.iter().filter_map(|line| line.strip_prefix('!')) {
        assert!(root().join(kept).exists(), "{kept}");
    }
    let dockerfile = read(DOCKERFILE);
    let copied =
        dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from"));
    for source in copied.flat_map(|line| line.split(' ').filter(|word| !word.starts_with("--")).collect::<Vec<_>>()) {
        let first = source.split('/').next().unwrap();
        let known =
            lines.iter().any(|line| line.strip_prefix('!').is_some_and(|kept| kept.split('/').next() == Some(first)));
        assert!(known || first == "." || source.starts_with("./") || source.starts_with("/"), "{source} is not sent");
    }
    for secret in ["**/.env", "**/target"] {
        assert!(lines.contains(&secret), "{secret}");
    }
    assert!(read(".gitignore").lines().any(|line| line == ".env"));
    // Only parsed: a file that compose could not read would be found first by a person.
    assert!(yaml("docker-compose.yml").is_mapping());
}
