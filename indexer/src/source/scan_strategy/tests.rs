//! Which way follows which, and that no account falls between two questions.
use anchor_lang::AccountSerialize;
use upgrade_manager::state::AccountStatus;

use super::*;

fn open(query: Query) -> VecDeque<Query> {
    [query].into()
}

#[test]
fn every_refusal_of_the_simple_way_leads_to_the_next_and_is_remembered() {
    for fault in [
        Fault::KeyExcluded,
        Fault::ScanLimit,
        Fault::TooMany,
        Fault::TooLarge,
        Fault::Timeout,
        Fault::MethodMissing,
        Fault::Other { code: 403 },
    ] {
        let mut ladder = Ladder::default();
        let (rung, queries) = ladder.refused(&open(Query::Plain), fault).unwrap();
        assert_eq!((rung, &queries[0]), (Rung::Pages, &Query::Page(None)), "{fault:?}");
        assert_eq!(ladder.start().0, Rung::Pages, "{fault:?}");
    }
}

#[test]
fn a_fault_of_the_moment_changes_nothing() {
    let limited = Fault::Limited { retry_after: Duration::ZERO };
    for fault in [Fault::Connect, Fault::Cut, Fault::Garbled, limited, Fault::Other { code: 502 }] {
        let mut ladder = Ladder::default();
        assert!(ladder.refused(&open(Query::Plain), fault).is_none(), "{fault:?}");
        assert_eq!(ladder.start().0, Rung::Plain);
    }
}

#[test]
fn a_node_without_pages_is_asked_type_by_type_and_without_an_index_by_name() {
    let mut ladder = Ladder::default();
    ladder.refused(&open(Query::Plain), Fault::ScanLimit).unwrap();
    let (rung, queries) = ladder.refused(&open(Query::Page(None)), Fault::MethodMissing).unwrap();
    assert_eq!((rung, queries.len()), (Rung::Kinds, KINDS.len()));

    let mut ladder = Ladder::default();
    ladder.refused(&open(Query::Plain), Fault::KeyExcluded).unwrap();
    let (rung, _) = ladder.refused(&open(Query::Page(None)), Fault::MethodMissing).unwrap();
    assert_eq!(rung, Rung::Known);
}

#[test]
fn a_later_page_that_is_refused_is_no_reason_to_read_everything_again() {
    let mut ladder = Ladder::default();
    ladder.refused(&open(Query::Plain), Fault::TooMany).unwrap();
    let later = open(Query::Page(Some("x".into())));
    assert!(ladder.refused(&later, Fault::Other { code: -32_602 }).is_none());
}

#[test]
fn a_type_too_large_for_one_answer_is_read_in_parts_and_the_others_as_before() {
    let mut ladder = Ladder { rung: Rung::Kinds, ..Ladder::default() };
    let (_, mut queries) = ladder.start();
    queries.drain(..5);
    let (rung, instead) = ladder.refused(&queries, Fault::TooLarge).unwrap();
    assert_eq!((rung, instead.len()), (Rung::Kinds, 256 + 1));
    assert_eq!(instead[255], Query::Shard(5, 255));
    assert_eq!(instead[256], Query::Kind(6));
    assert_eq!(ladder.start().1.len(), KINDS.len() - 1 + 256, "it is remembered");
    let (rung, _) = ladder.refused(&open(Query::Shard(5, 0)), Fault::ScanLimit).unwrap();
    assert_eq!(rung, Rung::Known);
    assert!(!rung.coverage().is_complete());
}

#[test]
fn answers_that_break_off_twice_in_a_row_are_blamed_on_their_size() {
    let mut ladder = Ladder::default();
    ladder.cut();
    assert_eq!(ladder.start().0, Rung::Plain);
    ladder.complete();
    ladder.cut();
    assert_eq!(ladder.start().0, Rung::Plain, "one came whole in between");
    ladder.cut();
    assert_eq!(ladder.start().0, Rung::Pages);
}

#[tokio::test(start_paused = true)]
async fn after_an_hour_the_simple_way_is_tried_again() {
    let mut ladder = Ladder::default();
    ladder.refused(&open(Query::Plain), Fault::TooMany).unwrap();
    tokio::time::advance(FORGET - Duration::from_secs(1)).await;
    assert_eq!(ladder.start().0, Rung::Pages);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ladder.start().0, Rung::Plain);
}

/// Whether a node would send an account with `data` as an answer to `query`.
pub fn matches(query: &Value, data: &[u8]) -> bool {
    let filters = query[1]["filters"].as_array().cloned().unwrap_or_default();
    filters.iter().all(|filter| {
        let offset = usize::try_from(filter["memcmp"]["offset"].as_u64().unwrap()).unwrap();
        let bytes = filter["memcmp"]["bytes"].as_str().unwrap();
        let bytes = bs58::decode(bytes).into_vec().unwrap();
        data.get(offset..offset + bytes.len()) == Some(&bytes[..])
    })
}

pub fn record(account: Pubkey) -> Vec<u8> {
    let key = |n| Pubkey::new_from_array([n; 32]);
    let mut record = AccountVersion::new(key(50), account, 2, 1, key(1));
    (record.status, record.proposal) = (AccountStatus::Migrated, key(60));
    let mut out = vec![];
    record.try_serialize(&mut out).unwrap();
    out
}

#[test]
fn the_parts_of_every_type_hold_each_account_exactly_once() {
    let program = upgrade_manager::ID;
    for (kind, filter) in KINDS.iter().enumerate() {
        let whole = Query::Kind(kind).params(&program, 5);
        let parts: Vec<Value> =
            (0..=u8::MAX).map(|byte| Query::Shard(kind, byte).params(&program, 5)).collect();
        for n in 0..=255u8 {
            let mut data = vec![n.wrapping_mul(31); 120];
            data[..8].copy_from_slice(filter.discriminator);
            data[filter.offset] = n;
            assert!(matches(&whole, &data));
            assert_eq!(parts.iter().filter(|part| matches(part, &data)).count(), 1, "{kind} {n}");
        }
        let mut other = vec![1; 120];
        other[..8].copy_from_slice(&[0xEE; 8]);
        assert!(!matches(&whole, &other) && !parts.iter().any(|part| matches(part, &other)));
    }
}

#[test]
fn the_byte_that_parts_records_is_the_first_of_the_account_and_no_two_types_share_a_filter() {
    let offset = KINDS[5].offset;
    for n in [0, 7, 255] {
        let account = Pubkey::new_from_array([n; 32]);
        assert_eq!(record(account)[offset], n);
        let mut moved = record(account);
        moved[offset] = moved[offset].wrapping_add(1);
        let read = crate::account::decode::manager_account(&moved).unwrap();
        let crate::account::ManagerAccount::AccountVersion(read) = read else { panic!("{read:?}") };
        assert_eq!(read.account.to_bytes()[0], n.wrapping_add(1));
    }
    let all: BTreeSet<&[u8]> = KINDS.iter().map(|kind| kind.discriminator).collect();
    assert_eq!(all.len(), KINDS.len());
}

#[test]
fn pages_are_large_and_begin_where_the_last_one_ended() {
    let params = Query::Page(Some("abc".into())).params(&upgrade_manager::ID, 9);
    let options = &params[1];
    assert_eq!(
        (options["limit"].as_u64(), options["paginationKey"].as_str()),
        (Some(10_000), Some("abc"))
    );
    assert_eq!(options["minContextSlot"].as_u64(), Some(9));
    assert!(Query::Page(None).params(&upgrade_manager::ID, 9)[1].get("paginationKey").is_none());
}
