//! One readable table.

use super::{Counted, Kind, Loop, Results};
use crate::measure::Summary;

/// Processes in the order in which a payment meets them.
const PROCESSES: [&str; 7] = ["driver", "api", "worker", "postgres", "rabbitmq", "redis", "simulator"];
/// Width of a line's name, and of a column.
const NAME: usize = 40;
const COLUMN: usize = 30;

/// Prints all results.
pub(crate) fn print(results: &Results) {
    let machine = &results.machine;
    println!(
        "\n{} × {}, Linux {}, load before {}; {} round(s) of {} s, medians [lowest–highest]",
        machine.processors, machine.model, machine.kernel, machine.load, results.rounds, results.seconds
    );
    closed(results);
    open(results);
    counts(results);
    statements(results);
}

fn closed(results: &Results) {
    if results.loops.is_empty() {
        return;
    }
    let heads: Vec<String> = results.clients.iter().map(|clients| format!("C={clients}")).collect();
    let each = |title: &str, value: &dyn Fn(&[&Loop]) -> String| {
        row(title, &heads);
        for kind in Kind::ALL {
            let cells = results.clients.iter().map(|&clients| {
                let loops = results.of(kind, clients);
                if loops.is_empty() { "-".to_owned() } else { value(&loops) }
            });
            row(&format!("  {}", kind.name()), &cells.collect::<Vec<_>>());
        }
    };
    each("\npayments per second", &|loops| spread(loops.iter().map(|one| one.per_second).collect(), 0));
    // Each round's own ratio: the two were measured next to each other.
    let ratios = |what: &str, ratio: fn(&Loop, &Loop) -> f64| {
        for (name, floor) in [("base", Kind::FloorBase), ("batched", Kind::FloorBatched)] {
            let cells = results.clients.iter().map(|&clients| {
                let pairs = results.of(Kind::KeyIn, clients).into_iter().zip(results.of(floor, clients));
                spread(pairs.map(|(naru, floor)| ratio(naru, floor)).collect(), 2)
            });
            row(&format!("  {what}, {name}"), &cells.collect::<Vec<_>>());
        }
    };
    ratios("key-in / floor", |naru, floor| naru.per_second / floor.per_second);
    each("\np50 / p95 / p99, ms", &|loops| {
        let of = |value: fn(&Summary) -> f64| median(loops.iter().map(|one| value(&one.millis)).collect());
        format!("{:.1} / {:.1} / {:.1}", of(|t| t.p50), of(|t| t.p95), of(|t| t.p99))
    });
    each("\nCPU time per payment, µs", &|loops| spread(loops.iter().map(|one| one.cpu.micros_total).collect(), 0));
    // What the payments per second would stand to each other on a machine that does nothing else and is busy.
    ratios("floor / key-in", |naru, floor| floor.cpu.micros_total / naru.cpu.micros_total);
    for &clients in &results.clients {
        println!(
            "\n{:<NAME$}{}",
            format!("  of that, C={clients}"),
            PROCESSES.map(|name| format!("{name:>11}")).concat()
        );
        for kind in Kind::ALL {
            let loops = results.of(kind, clients);
            if loops.is_empty() {
                continue;
            }
            let cells = PROCESSES.map(|process| {
                let micros = loops.iter().filter_map(|one| one.cpu.micros_per_payment.get(process).copied());
                format!("{:>11.0}", median(micros.collect()))
            });
            println!("{:<NAME$}{}", format!("  {}", kind.name()), cells.concat());
        }
    }
    let others = results.loops.iter().map(|one| one.cpu.others * 100.0).collect();
    println!("\nsomebody else's share of the machine's busy time: {} %", spread(others, 0));
}

fn open(results: &Results) {
    if results.open.is_empty() {
        return;
    }
    let title = format!("\nopen loop, {} per second: p50 / p95 / p99 / max, ms", results.rate);
    row(&title, &["from when meant".to_owned(), "from acceptance".to_owned(), "CPU µs".to_owned()]);
    let times = |t: &Summary| format!("{:.1} / {:.1} / {:.1} / {:.0}", t.p50, t.p95, t.p99, t.max);
    for one in &results.open {
        let cells = [
            times(&one.from_intended_millis),
            times(&one.from_accepted_millis),
            format!("{:.0}", one.cpu.micros_total),
        ];
        row(&format!("  {}", one.name), &cells);
    }
}

fn counts(results: &Results) {
    let Some(idle) = &results.idle else { return };
    println!("\nper payment{:>40}{:>12}{:>11}   batches: accept, claim, outcome", "commits", "statements", "publishes");
    for Counted { kind, clients, counts } in &results.counts {
        let name = format!("  {} C={clients}", kind.name());
        println!(
            "{name:<44}{:>7.2}{:>12.2}{:>11.2}{:>19.1}{:>7.1}{:>9.1}",
            counts.commits,
            counts.statements,
            counts.publishes,
            counts.accept_batch,
            counts.claim_batch,
            counts.commit_batch
        );
    }
    println!(
        "  (at rest, per second: {:.1} commits, {:.1} statements; taken off. Commits are those that wrote; publishes and\n   batches are Naru's own metrics, so the floor shows none)",
        idle.commits, idle.statements
    );
}

fn statements(results: &Results) {
    if results.statements.is_empty() {
        return;
    }
    println!("\nkey-in's costliest statements{:>26}{:>20}{:>18}", "calls per payment", "µs per payment", "µs per call");
    for one in &results.statements {
        println!(
            "  {:<38.38}{:>15.2}{:>20.0}{:>18.0}",
            one.text,
            one.calls / results.statements_of as f64,
            one.millis * 1_000.0 / results.statements_of as f64,
            one.millis * 1_000.0 / one.calls
        );
    }
}

fn row(name: &str, cells: &[String]) {
    println!("{name:<NAME$}{}", cells.iter().map(|cell| format!("{cell:>COLUMN$}")).collect::<String>());
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { (at(middle.saturating_sub(1)) + at(middle)) / 2.0 } else { at(middle) }
}

fn spread(values: Vec<f64>, digits: usize) -> String {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(0.0, f64::max);
    match values.len() {
        0 => "-".to_owned(),
        1 => format!("{:.digits$}", values[0]),
        _ => format!("{:.digits$} [{lowest:.digits$}–{highest:.digits$}]", median(values)),
    }
}
