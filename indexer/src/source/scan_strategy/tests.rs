//! Which way follows which, and that no account falls between two questions.
use anchor_lang::AccountSerialize;
use upgrade_manager::state::AccountStatus;

use super::*;

fn open(query: Query) -> VecDeque<Query> {
    [query].into()
}

#[test]
fn a_refused_method_leads_to_the_next_and_is_remembered() {
    for fault in [
        RpcFault::KeyExcluded,
        RpcFault::ScanLimit,
        RpcFault::TooMany,
        RpcFault::TooLarge,
        RpcFault::Timeout,
        RpcFault::MethodMissing,
        RpcFault::Other { code: 403 },
    ] {
        let mut strategy = ScanStrategy::default();
        let (scan_method, queries) = strategy.refused(&open(Query::Plain), fault).unwrap();
        assert_eq!(
            (scan_method, &queries[0]),
            (ScanMethod::Pages, &Query::Page(None)),
            "{fault:?}"
        );
        assert_eq!(strategy.start().0, ScanMethod::Pages, "{fault:?}");
    }
}

#[test]
fn a_passing_fault_keeps_the_method() {
    let limited = RpcFault::Limited { retry_after: Duration::ZERO };
    for fault in [
        RpcFault::Connect,
        RpcFault::Cut,
        RpcFault::Garbled,
        limited,
        RpcFault::Other { code: 502 },
    ] {
        let mut strategy = ScanStrategy::default();
        assert!(strategy.refused(&open(Query::Plain), fault).is_none(), "{fault:?}");
        assert_eq!(strategy.start().0, ScanMethod::Plain);
    }
}

#[test]
fn without_pages_it_reads_by_type_and_without_an_index_by_address() {
    let mut strategy = ScanStrategy::default();
    strategy.refused(&open(Query::Plain), RpcFault::ScanLimit).unwrap();
    let (scan_method, queries) =
        strategy.refused(&open(Query::Page(None)), RpcFault::MethodMissing).unwrap();
    assert_eq!((scan_method, queries.len()), (ScanMethod::Kinds, KINDS.len()));

    let mut strategy = ScanStrategy::default();
    strategy.refused(&open(Query::Plain), RpcFault::KeyExcluded).unwrap();
    let (scan_method, _) =
        strategy.refused(&open(Query::Page(None)), RpcFault::MethodMissing).unwrap();
    assert_eq!(scan_method, ScanMethod::Known);
}

#[test]
fn a_refused_later_page_does_not_restart_the_reading() {
    let mut strategy = ScanStrategy::default();
    strategy.refused(&open(Query::Plain), RpcFault::TooMany).unwrap();
    let later = open(Query::Page(Some("x".into())));
    assert!(strategy.refused(&later, RpcFault::Other { code: -32_602 }).is_none());
}

#[test]
fn only_a_type_too_large_for_one_answer_is_sharded() {
    let mut strategy = ScanStrategy { scan_method: ScanMethod::Kinds, ..ScanStrategy::default() };
    let (_, mut queries) = strategy.start();
    queries.drain(..5);
    let (scan_method, instead) = strategy.refused(&queries, RpcFault::TooLarge).unwrap();
    assert_eq!((scan_method, instead.len()), (ScanMethod::Kinds, 256 + 1));
    assert_eq!(instead[255], Query::Shard(5, 255));
    assert_eq!(instead[256], Query::Kind(6));
    assert_eq!(strategy.start().1.len(), KINDS.len() - 1 + 256, "it is remembered");
    let (scan_method, _) =
        strategy.refused(&open(Query::Shard(5, 0)), RpcFault::ScanLimit).unwrap();
    assert_eq!(scan_method, ScanMethod::Known);
    assert!(!scan_method.coverage().is_complete());
}

#[test]
fn two_truncated_answers_in_a_row_change_the_method() {
    let mut strategy = ScanStrategy::default();
    strategy.cut();
    assert_eq!(strategy.start().0, ScanMethod::Plain);
    strategy.complete();
    strategy.cut();
    assert_eq!(strategy.start().0, ScanMethod::Plain, "one came whole in between");
    strategy.cut();
    assert_eq!(strategy.start().0, ScanMethod::Pages);
}

#[tokio::test(start_paused = true)]
async fn the_plain_method_is_tried_again_after_an_hour() {
    let mut strategy = ScanStrategy::default();
    strategy.refused(&open(Query::Plain), RpcFault::TooMany).unwrap();
    tokio::time::advance(RETRY_PLAIN_INTERVAL - Duration::from_secs(1)).await;
    assert_eq!(strategy.start().0, ScanMethod::Pages);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(strategy.start().0, ScanMethod::Plain);
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
fn the_shards_of_a_type_hold_each_account_exactly_once() {
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
fn shard_offsets_point_at_addresses_and_no_two_types_share_a_filter() {
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
fn a_page_request_carries_limit_and_key() {
    let params = Query::Page(Some("abc".into())).params(&upgrade_manager::ID, 9);
    let options = &params[1];
    assert_eq!(
        (options["limit"].as_u64(), options["paginationKey"].as_str()),
        (Some(10_000), Some("abc"))
    );
    assert_eq!(options["minContextSlot"].as_u64(), Some(9));
    assert!(Query::Page(None).params(&upgrade_manager::ID, 9)[1].get("paginationKey").is_none());
}
