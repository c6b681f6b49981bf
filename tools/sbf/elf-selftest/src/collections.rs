//! std's collections, sorting, formatting and parsing. No dependencies: the test compiles this file
//! for the host.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Numbers without a pattern, the same everywhere.
fn numbers(count: u32) -> impl Iterator<Item = u32> {
    let mut state = 12_345u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        state >> 8
    })
}

/// One line of text for each group of collections.
pub fn run(count: u32) -> [String; 4] {
    [maps(count), sorts(count), formats(count), parses()]
}

/// A tree map with removals, a set, a queue, and a hash map, whose order must not show.
fn maps(count: u32) -> String {
    let mut tree: BTreeMap<u32, String> =
        numbers(count).enumerate().map(|(at, n)| (n % 1000, format!("v{at}"))).collect();
    let keys: Vec<u32> = tree.keys().copied().collect();
    for key in keys.iter().step_by(3) {
        tree.remove(key);
    }
    let first = tree.values().collect::<BTreeSet<_>>().first().map(|value| value.len());
    let mut queue: VecDeque<u32> = tree.keys().copied().collect();
    queue.rotate_left(2.min(queue.len()));
    let hashed: HashMap<u32, u64> = numbers(count).map(|n| (n % 50, u64::from(n))).collect();
    let sum: u64 = hashed.values().sum();
    let head: Vec<_> = queue.iter().take(4).collect();
    format!("{} {first:?} {head:?} {} {sum}", tree.len(), hashed.len())
}

/// The stable sort with enough elements to need its buffer, and the unstable one.
fn sorts(count: u32) -> String {
    let mut pairs: Vec<(u32, u32)> = numbers(count).zip(0..).map(|(n, at)| (n % 17, at)).collect();
    pairs.sort_by_key(|pair| pair.0);
    let stable = pairs.windows(2).all(|pair| matches!(pair, [a, b] if a <= b));
    let mut values: Vec<u32> = numbers(count).collect();
    values.sort_unstable_by(|a, b| b.cmp(a));
    format!("{stable} {:?} {:?}", pairs.get(1), values.first())
}

fn formats(count: u32) -> String {
    let text: String = numbers(3).map(|n| format!("{:>9}={:<4x}|", n, n % 4096)).collect();
    let float = f64::from(count) / 7.0;
    format!("{text} {:#010b} {float:08.3} {:?} {:?}", count % 256, Some("a\"b"), 'ß'.to_uppercase())
}

fn parses() -> String {
    let number = "-1234567".parse::<i64>();
    let float = "2.5e3".parse::<f64>();
    format!("{number:?} {float:?} {} {}", "zz".parse::<u8>().is_err(), "äbc".to_uppercase())
}

/// Inserts in the middle, drains, removes repetitions, and sums up what is left.
pub fn shuffle(count: u32) -> u64 {
    let mut bytes: Vec<u8> = Vec::new();
    for at in 0..count {
        bytes.insert(at as usize / 2, at as u8);
    }
    bytes.drain(1..5.min(bytes.len().max(1)));
    bytes.dedup();
    bytes.iter().zip(1u64..).map(|(byte, at)| at * u64::from(*byte)).sum()
}
