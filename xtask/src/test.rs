//! `cargo xtask test`: every check and every test, cheapest first; it ends at the first that fails.
//!
//! All steps select the whole workspace with one profile, so that no dependency is compiled for one
//! step and again for the next.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use clap::ValueEnum;

use crate::again;
use crate::run::{cargo, run, run_quietly, succeeds};
use crate::{moto, packages, pebble};

/// Part of the names of the adapters' tests.
const ADAPTERS: &str = "::suite::";
/// Part of the names of the model check's stories, which take minutes.
const MODEL: &str = "model::stories::";

#[derive(clap::Args)]
pub(crate) struct Test {
    /// Only these steps [default: all]
    steps: Vec<Step>,
    /// Only the steps that need no local region, and no model check: format, clippy, unit
    #[arg(long, conflicts_with = "steps")]
    quick: bool,
    /// For the test programs: a part of a test's name, `--nocapture`, …
    #[arg(last = true)]
    test_args: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The layout of the code
    Format,
    /// Lints, on every target
    Clippy,
    /// The documentation builds, and its links lead somewhere
    Doc,
    /// Licences, bans and sources of the dependencies
    Deny,
    /// Dependencies that nothing uses
    Machete,
    /// Everything that the next steps run
    Build,
    /// Unit tests: no network, no region
    Unit,
    /// The model check goes through every order of what befalls a fleet, at low priority
    Model,
    /// The cloud adapters against the local region, and S3's against moto
    Adapters,
    /// The local region itself, the copies that the mirror's crawl makes of a site that is hard to
    /// copy, and all of the compiled program in booted machines
    Suites,
    /// `up` against the local region: boots, renewals, outages and ends mostly wait, so several run
    /// at once
    Ups,
    /// The commands of CI and of a desk against the local region and its fleets, and the policies of
    /// both roles: they mostly wait, so many run at once
    Deploys,
    /// `cargo xtask demo --once`
    Demo,
}

enum Outcome {
    Passed(Duration),
    /// With the reason.
    Skipped(String),
    /// All passed but these few tests, beside others on a busy machine: they are judged by a run of
    /// their own.
    AFewFailed(Duration, Vec<String>, Error),
    Failed(Duration, Error),
}

impl Test {
    pub(crate) fn run(self) -> Result<()> {
        let steps = self.chosen();
        if steps.iter().any(|step| {
            matches!(
                step,
                Step::Adapters | Step::Suites | Step::Ups | Step::Deploys | Step::Demo
            )
        }) {
            packages::install_missing(&[packages::DEMO, packages::CONTAINERS].concat())?;
        }
        if steps.iter().any(|step| {
            matches!(
                step,
                Step::Adapters | Step::Suites | Step::Ups | Step::Deploys
            )
        }) {
            moto::install()?;
            pebble::install()?;
        }
        let mut summary = Vec::new();
        for lanes in in_lanes(&steps) {
            let mut done = if let [lane] = &lanes[..] {
                self.drive(lane, Shown::AsItComes)
            } else {
                self.drive_at_once(&lanes)
            };
            for (step, outcome) in &mut done {
                outcome.settle(*step);
            }
            let failed = done.iter().any(|(_, outcome)| outcome.failed());
            summary.extend(done);
            if failed {
                break;
            }
        }
        conclude(summary)
    }

    /// One step after the other, up to the first that fails.
    fn drive(&self, lane: &[Step], shown: Shown) -> Vec<(Step, Outcome)> {
        let mut done = Vec::new();
        for &step in lane {
            let outcome = step.perform(&self.test_args, shown);
            let failed = outcome.failed();
            done.push((step, outcome));
            if failed {
                break;
            }
        }
        done
    }

    /// The lanes beside each other. A lane goes on to its end where another has failed: what it
    /// shows is worth knowing, too.
    fn drive_at_once(&self, lanes: &[Vec<Step>]) -> Vec<(Step, Outcome)> {
        thread::scope(|scope| {
            let driven: Vec<_> = lanes
                .iter()
                .map(|lane| scope.spawn(move || self.drive(lane, Shown::AtItsEnd)))
                .collect();
            let joined = driven.into_iter().map(|lane| lane.join());
            joined
                .flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }

    fn chosen(&self) -> Vec<Step> {
        match (self.quick, self.steps.is_empty()) {
            (true, _) => vec![Step::Format, Step::Clippy, Step::Unit],
            (false, true) => Step::value_variants().to_vec(),
            (false, false) => self.steps.clone(),
        }
    }
}

/// When what a step prints is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    AsItComes,
    /// Whole, so that the words of steps that run at once do not mix.
    AtItsEnd,
}

impl Outcome {
    fn failed(&self) -> bool {
        matches!(self, Self::Failed(..))
    }

    /// Runs the few that failed once more, with nothing beside them; that run counts.
    fn settle(&mut self, step: Step) {
        let Self::AFewFailed(took, tests, error) = self else {
            return;
        };
        eprintln!(
            "\n── {}: {} failed beside others, and run again alone: {error:#}",
            step.name(),
            tests.join(", ")
        );
        let started = Instant::now();
        let mut args = step.command().to_vec();
        args.extend(["--exact", "--test-threads=1"]);
        args.extend(tests.iter().map(String::as_str));
        let done = run(&cargo(), &args, &[]);
        let took = *took + started.elapsed();
        *self = match done {
            Ok(()) => Self::Passed(took),
            Err(error) => Self::Failed(took, error),
        };
    }
}

/// The suites that wait for the most part, in two lanes, and the model check, which takes the
/// processor's time that they leave. Each site and each crowd of visitors takes its turn, in
/// whichever lane its test is.
const LANES: [&[Step]; 3] = [
    &[Step::Adapters, Step::Suites, Step::Ups],
    &[Step::Deploys],
    &[Step::Model],
];

/// The steps in their order, those of [`LANES`] side by side where several lanes have some.
fn in_lanes(steps: &[Step]) -> Vec<Vec<Vec<Step>>> {
    let chosen = LANES.map(|lane| lane.iter().copied().filter(|step| steps.contains(step)));
    let mut lanes: Vec<Vec<Step>> = chosen.map(Iterator::collect).into();
    lanes.retain(|lane| !lane.is_empty());
    let alone = |step: Step| vec![vec![step]];
    if lanes.len() < 2 {
        return steps.iter().copied().map(alone).collect();
    }
    let waits = |step: &Step| LANES.concat().contains(step);
    let before = steps.iter().copied().take_while(|step| !waits(step));
    let after = steps.iter().copied().skip_while(|step| !waits(step));
    let after = after.filter(|step| !waits(step));
    let lanes = std::iter::once(lanes);
    before
        .map(alone)
        .chain(lanes)
        .chain(after.map(alone))
        .collect()
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What follows `cargo`.
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Format => &["fmt", "--all", "--check"],
            Self::Clippy => &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "--deny",
                "warnings",
            ],
            Self::Doc => &[
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
                "--locked",
            ],
            Self::Deny => &["deny", "--locked", "check", "bans", "licenses", "sources"],
            Self::Machete => &["machete"],
            Self::Build => &["test", "--workspace", "--no-run", "--locked"],
            Self::Unit => &[
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--locked",
                "--",
                "--quiet",
                "--skip",
                ADAPTERS,
                "--skip",
                MODEL,
            ],
            Self::Model => &["test", "--workspace", "--bins", "--locked", "--", MODEL],
            Self::Adapters => &["test", "--workspace", "--bins", "--locked", "--"],
            Self::Suites => &[
                "test",
                "--workspace",
                "--test",
                "api",
                "--test",
                "crawl",
                "--test",
                "ends",
                "--test",
                "hard_site",
                "--test",
                "machine",
                "--locked",
                "--no-fail-fast",
                "--",
            ],
            Self::Ups => &["test", "--workspace", "--test", "up", "--locked", "--"],
            Self::Deploys => &[
                "test",
                "--workspace",
                "--test",
                "deploy",
                "--test",
                "failover",
                "--test",
                "init",
                "--test",
                "mirror",
                "--test",
                "policies",
                "--locked",
                "--no-fail-fast",
                "--",
            ],
            Self::Demo => &["xtask", "demo", "--once"],
        }
    }

    /// How many tests of a suite that mostly waits run at once, for each processor that we may use:
    /// a quota counts as fewer processors.
    fn tests_per_processor(self) -> Option<f64> {
        match self {
            Self::Ups => Some(2.5),
            Self::Deploys => Some(4.0),
            _ => None,
        }
    }

    /// The further cargo command that a step needs, if cargo does not bring it.
    fn extra(self) -> Option<&'static str> {
        match self {
            Self::Deny => Some("deny"),
            Self::Machete => Some("machete"),
            _ => None,
        }
    }

    fn perform(self, test_args: &[String], shown: Shown) -> Outcome {
        let cargo = cargo();
        if let Some(extra) = self
            .extra()
            .filter(|extra| !succeeds(&cargo, &[extra, "--version"]))
        {
            return Outcome::Skipped(format!(
                "not installed: cargo install --locked cargo-{extra}"
            ));
        }
        let mut args = self.command().to_vec();
        let threads = self
            .tests_per_processor()
            .map(|tests| format!("--test-threads={}", at_once(tests, processors())));
        args.extend(threads.as_deref());
        if matches!(
            self,
            Self::Unit | Self::Model | Self::Adapters | Self::Suites | Self::Ups | Self::Deploys
        ) {
            args.extend(test_args.iter().map(String::as_str));
        }
        // A name that is asked for stands instead of all: test programs run what fits any of
        // several.
        if self == Self::Adapters && test_args.iter().all(|arg| arg.starts_with('-')) {
            args.push(ADAPTERS);
        }
        let started = Instant::now();
        let mut few = None;
        let env = [("RUSTDOCFLAGS", "--deny warnings")];
        let done = match shown {
            Shown::AsItComes => {
                eprintln!("\n── {}", self.name());
                run(&cargo, &args, &env)
            }
            Shown::AtItsEnd => {
                eprintln!("── {} has begun", self.name());
                let mut program = cargo.as_str();
                if self == Self::Model {
                    args.splice(0..0, ["-n", "19", program]);
                    program = "nice";
                }
                run_quietly(program, &args, &env, |printed| {
                    eprintln!("\n── {}\n{printed}", self.name());
                    few = again::few_failed(printed);
                })
            }
        };
        match (done, few) {
            (Ok(()), _) => Outcome::Passed(started.elapsed()),
            (Err(error), Some(tests)) => Outcome::AFewFailed(started.elapsed(), tests, error),
            (Err(error), None) => Outcome::Failed(started.elapsed(), error),
        }
    }
}

/// At least two, so that waiting tests never hold up all others.
fn at_once(per_processor: f64, processors: u32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number, cut off"
    )]
    let tests = (per_processor * f64::from(processors)) as u32;
    tests.max(2)
}

/// By their number, our affinity and a control group's quota.
fn processors() -> u32 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|number| u32::try_from(number.get()).ok())
        .unwrap_or(1)
}

/// Prints each step's time; the error, if there is one, names the step that failed.
fn conclude(summary: Vec<(Step, Outcome)>) -> Result<()> {
    eprintln!();
    let mut failure = None;
    for (step, outcome) in summary {
        let name = step.name();
        match outcome {
            Outcome::Passed(took) => eprintln!("{name:<8} {:>7.1} s  passed", took.as_secs_f64()),
            Outcome::Skipped(why) => eprintln!("{name:<8}       – s  skipped, {why}"),
            Outcome::Failed(took, error) | Outcome::AFewFailed(took, _, error) => {
                eprintln!("{name:<8} {:>7.1} s  FAILED", took.as_secs_f64());
                failure =
                    Some(error.context(format!("{name} failed; the steps after it were not run")));
            }
        }
    }
    match failure {
        Some(error) => bail!(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::root;

    #[test]
    fn half_a_machine_runs_half_as_many_tests_at_once() {
        let at = |processors| {
            [Step::Ups, Step::Deploys]
                .map(|step| at_once(step.tests_per_processor().unwrap(), processors))
        };
        assert_eq!((at(2), at(1)), ([5, 8], [2, 4]));
    }

    #[test]
    fn waiting_suites_run_side_by_side_and_a_single_one_as_it_comes() {
        let all = in_lanes(Step::value_variants());
        let beside: Vec<_> = all.iter().filter(|lanes| lanes.len() > 1).collect();
        assert_eq!(beside, [&LANES.map(<[Step]>::to_vec).to_vec()]);
        let two = in_lanes(&[Step::Ups, Step::Model]);
        assert_eq!(two, [vec![vec![Step::Ups], vec![Step::Model]]]);
        let flat: Vec<Step> = all.concat().concat();
        let mut wanted = Step::value_variants().to_vec();
        assert_eq!(flat.len(), wanted.len());
        wanted.retain(|step| !flat.contains(step));
        assert_eq!(wanted, [], "each step runs");
        assert_eq!(flat.first(), Some(&Step::Format));
        assert_eq!(flat.last(), Some(&Step::Demo));
        assert_eq!(
            in_lanes(&[Step::Ups, Step::Suites]),
            [[[Step::Ups]], [[Step::Suites]]]
        );
    }

    #[test]
    fn every_suite_is_run_by_one_step() {
        let named: Vec<_> = [Step::Suites, Step::Ups, Step::Deploys]
            .iter()
            .flat_map(|step| step.command())
            .collect();
        let folders = [
            "tests",
            "tests/region/tests",
            "mirror/tests",
            "mirror/fixture/tests",
        ];
        for folder in folders {
            for entry in std::fs::read_dir(root().join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path())
            {
                let name = entry.file_name().unwrap().to_str().unwrap();
                let name = name.trim_end_matches(".rs");
                let is_suite = entry.join("main.rs").exists() || entry.is_file();
                assert_eq!(
                    named.iter().filter(|known| **known == &name).count(),
                    usize::from(is_suite),
                    "{name}"
                );
            }
        }
    }
}
