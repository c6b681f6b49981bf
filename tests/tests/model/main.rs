//! Random sequences of every instruction, by anyone at any time, on the real program against the
//! reference model of `e2e::model`: after every step both must say the same.
use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use e2e::model::{
    drive::Pair,
    op::{Call, How, Op, Pid, STRANGER, VAULTS},
    sequence::{Sequence, Sequences, count, total},
    stages,
};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// Threads that share the work.
const THREADS: u32 = 2;

/// Shortest and longest sequence.
const STEPS: Sequences = Sequences { least: 20, most: 40 };

fn failures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/model/regressions.jsonl")
}

/// Runs `sequences` in [`THREADS`] threads, with every number `seed` leads to.
fn explore(sequences: u32, seed: u64) -> Result<(), TestError<Sequence>> {
    let steps = AtomicU32::new(0);
    let first: Mutex<Option<TestError<Sequence>>> = Mutex::new(None);
    let work = |thread: u32| {
        let mut config = Config::with_cases(sequences / THREADS);
        config.failure_persistence = None;
        config.max_shrink_iters = 400;
        // Each thread runs different sequences.
        config.rng_seed = RngSeed::Fixed(seed.wrapping_add(thread.into()));
        let outcome = TestRunner::new(config).run(&STEPS, |sequence| {
            let ran = sequence.run(|_| {}).map_err(TestCaseError::fail)?;
            steps.fetch_add(u32::try_from(sequence.ops.len()).unwrap_or(0), Ordering::Relaxed);
            count(&ran);
            Ok(())
        });
        if let Err(error) = outcome {
            first.lock().unwrap().get_or_insert(error);
        }
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || work(thread));
        }
    });
    println!("{sequences} sequences, {} steps", steps.into_inner());
    first.into_inner().unwrap().map_or(Ok(()), Err)
}

/// Runs random sequences from the seed in `PROPTEST_RNG_SEED`. `again` is the command that repeats
/// this test with the same sequences.
fn explore_and_keep(sequences: u32, again: &str) {
    let seed = match Config::default().rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => 0,
    };
    let outcome = explore(sequences, seed);
    for (name, (accepted, refused)) in total().lock().unwrap().iter() {
        println!("{name:22} {accepted:6} accepted, {refused:6} refused");
    }
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, sequence)) => {
            let line = serde_json::to_string(&sequence).unwrap();
            fs::create_dir_all(failures().parent().unwrap()).unwrap();
            let mut file =
                fs::OpenOptions::new().create(true).append(true).open(failures()).unwrap();
            writeln!(file, "{line}").unwrap();
            panic!(
                "the program is not what the model says, kept in {}; the same sequences again: \
                 PROPTEST_RNG_SEED={seed} {again}\n{why}",
                failures().display()
            );
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

#[test]
fn recorded_differences_from_the_model_do_not_return() {
    let kept = fs::read_to_string(failures()).unwrap_or_default();
    for (i, line) in kept.lines().filter(|line| !line.is_empty()).enumerate() {
        let sequence: Sequence = serde_json::from_str(line).unwrap();
        if let Err(why) = sequence.run(|_| {}) {
            panic!("kept sequence {i}: {why}");
        }
    }
}

#[test]
fn model_and_program_agree_on_an_upgrade_whose_program_or_multisig_is_gone() {
    let on = Pid::Upgrade(VAULTS, 0, 0);
    let (by, durable, digest) = (2, false, true);
    let calls = vec![
        Call::Migrate { on, by: STRANGER, vaults: vec![0] },
        Call::Verify { on, vaults: vec![0] },
        Call::MarkClosed { on, by: STRANGER, vault: 0, proof: 0 },
        Call::Quarantine { on, by, vault: 0 },
        Call::Complete { on, by },
        Call::VoteBack { on, by, give_up: false, digest, durable },
        Call::Restore { on, by, vaults: vec![(0, How::Bytes)] },
        Call::RollBack { on, by },
        Call::Execute { on, by },
        Call::Vote { on, by, approve: true, digest, durable },
        Call::Revoke { on, by, durable },
        Call::Cancel { on, by, durable },
        Call::Expire { on },
        // The proposals that transferred the program and dissolved the multisig.
        Call::Expire { on: Pid::Multisig(0, 1) },
        Call::ExecuteTransfer { on: Pid::Multisig(0, 1), by, to: by },
        Call::ExecuteConfig { on: Pid::Multisig(0, 3), by },
    ];
    for start in ["left", "passed on", "dissolved"] {
        for call in &calls {
            let ops = vec![Op::Call { call: call.clone(), twist: None }];
            if let Err(why) = (Sequence { start: start.into(), ops }).run(|_| {}) {
                panic!("{}: {why}", call.name());
            }
        }
    }
}

#[test]
fn every_stage_that_sequences_start_from_is_reached_by_model_and_program_alike() {
    for stage in stages::START {
        stages::at(stage);
    }
}

#[test]
fn three_hundred_random_sequences_end_as_the_model_says() {
    explore_and_keep(300, "cargo xtask test three_hundred");
}

#[test]
#[ignore = "a quarter of an hour; `cargo xtask test --long` runs it"]
fn ten_thousand_random_sequences_end_as_the_model_says() {
    explore_and_keep(10_000, "cargo xtask test --long ten_thousand");
}

#[test]
fn a_model_without_one_rule_fails_the_test() {
    let rules = ["TimelockNotOver", "AlreadyVoted", "RoleMissing"];
    for rule in rules {
        let mut config = Config::with_cases(1_000);
        config.failure_persistence = None;
        config.max_shrink_iters = 60;
        config.rng_seed = RngSeed::Fixed(1);
        let forget = |pair: &mut Pair| pair.model.blind = Some(rule);
        let outcome = TestRunner::new(config)
            .run(&STEPS, |sequence| sequence.run(forget).map(|_| ()).map_err(TestCaseError::fail));
        match outcome {
            Err(TestError::Fail(why, _)) => assert!(why.message().contains(rule), "{rule}: {why}"),
            other => panic!("{rule}: nothing was found: {other:?}"),
        }
    }
}
