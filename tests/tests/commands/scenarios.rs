//! Cases from public bug reports, one file each in `tests/scenarios`.
use std::{collections::BTreeSet, fs};

use e2e::scenario;

/// One test for each file, with its name.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                scenario::play(&file(stringify!($name)));
            }
        )*

        #[test]
        fn every_file_is_a_test() {
            let files = fs::read_dir(scenario::folder()).expect("the folder");
            let names = files.map(|f| f.expect("a file").file_name().to_string_lossy().into_owned());
            let listed = [$(stringify!($name)),*].map(file);
            assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(listed));
        }
    };
}

fn file(name: &str) -> String {
    format!("{}.toml", name.replace('_', "-"))
}

cases! {
    boolean_variable,
    capped_list,
    capped_list_from_the_start,
    database_url,
    frozen_node,
    future_error,
    high_block_height,
    key_paths,
    no_priority_fee,
    rent_epoch,
    rent_epoch_without_space,
    v1_transaction,
}
