//! How many items go into one transaction: as many as its exact serialised size allows. Pure.

/// Splits `items` into consecutive batches of at least one item, each as long as `fits` allows.
/// An item that does not fit alone still gets a batch, so that sending it reports the reason.
pub(crate) fn pack<T>(mut items: Vec<T>, fits: impl Fn(&[T]) -> bool) -> Vec<Vec<T>> {
    let mut batches = vec![];
    // Items are mostly of one size, so the length of the previous batch is the best first guess.
    let mut guess = 8;
    while !items.is_empty() {
        let holds = |n: usize| items.get(..n).is_some_and(&fits);
        let mut n = items.len().min(guess).max(1);
        while n > 1 && !holds(n) {
            n = n.saturating_sub(1);
        }
        while n < items.len() && holds(n.saturating_add(1)) {
            n = n.saturating_add(1);
        }
        let rest = items.split_off(n);
        batches.push(std::mem::replace(&mut items, rest));
        guess = n;
    }
    batches
}

/// The two halves of a batch of two or more.
pub(crate) fn halve<T>(mut batch: Vec<T>) -> (Vec<T>, Vec<T>) {
    let rest = batch.split_off(batch.len() / 2);
    (batch, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use solana_pubkey::Pubkey;
    use upgrade_manager::{
        fixtures,
        instructions::RestoreItem,
        state::{LenRange, PinnedElf, Terms, TypeRule},
    };

    use crate::{
        chain::simulate::{MAX_TRANSACTION_LEN, MAX_UNITS, transaction_size, with_budget},
        instructions::{self, Migrate, ProposalKeys, Restore},
    };

    fn plain(keys: &[Pubkey]) -> Vec<Migrate> {
        keys.iter().copied().map(Migrate::plain).collect()
    }

    fn key(i: u16) -> Pubkey {
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(&i.to_be_bytes());
        Pubkey::new_from_array(bytes)
    }

    fn terms() -> Terms {
        let elf = |i| PinnedElf { buffer: key(i), ..fixtures::elf(1) };
        let new_len = LenRange { min: 30, max: 40 };
        let rule = TypeRule { new_len, ..fixtures::type_rule(20, 30) };
        Terms {
            id: 3,
            multisig: key(60_001),
            program: key(60_002),
            program_data: key(60_003),
            upgrade: elf(60_004),
            rollback: elf(60_005),
            spill: key(60_006),
            type_rules: vec![rule],
            ..fixtures::terms(0)
        }
    }

    fn size(ix: solana_instruction::Instruction, price: u64) -> usize {
        transaction_size(&with_budget(&[ix], MAX_UNITS, price), &key(60_000))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_migration_batch_fits_and_none_could_take_the_next_account(n in 1u16..60, price in 0u64..2) {
            let (terms, payer) = (terms(), key(60_000));
            let build = |t: &[Pubkey]| instructions::migrate_accounts(&payer, &terms, &plain(t));
            let all: Vec<_> = (0..n).map(key).collect();
            let batches = pack(all.clone(), |t| size(build(t), price) <= MAX_TRANSACTION_LEN);
            prop_assert_eq!(batches.concat(), all);
            for (batch, next) in batches.iter().zip(batches.iter().skip(1)) {
                prop_assert!(size(build(batch), price) <= MAX_TRANSACTION_LEN);
                let mut more = batch.clone();
                more.push(next[0]);
                prop_assert!(size(build(&more), price) > MAX_TRANSACTION_LEN);
                prop_assert!(batch.len() >= 8, "only {} fit", batch.len());
            }
        }

        #[test]
        fn restore_batches_follow_the_size_of_their_bytes(
            lens in prop::collection::vec(0usize..700, 1..25),
        ) {
            let (terms, payer) = (terms(), key(60_000));
            let build = |t: &[Restore]| instructions::restore_accounts(&payer, &payer, &terms, t);
            let all: Vec<_> = (0u16..).zip(&lens).map(|(i, len)| Restore {
                account: key(i),
                rent_refund: payer,
                item: if len % 5 == 0 { RestoreItem::Down } else { RestoreItem::Bytes(vec![1; *len]) },
            }).collect();
            let batches = pack(all.clone(), |t| size(build(t), 0) <= MAX_TRANSACTION_LEN);
            prop_assert_eq!(batches.concat(), all);
            for batch in &batches {
                prop_assert!(batch.len() == 1 || size(build(batch), 0) <= MAX_TRANSACTION_LEN);
            }
            for (batch, next) in batches.iter().zip(batches.iter().skip(1)) {
                let mut more = batch.clone();
                more.push(next[0].clone());
                prop_assert!(size(build(&more), 0) > MAX_TRANSACTION_LEN);
            }
        }
    }

    #[test]
    fn the_size_formula_is_the_serialised_size() {
        let (terms, payer) = (terms(), key(60_000));
        let ix = instructions::migrate_accounts(&payer, &terms, &plain(&[key(1), key(2)]));
        let message = solana_message::Message::new(std::slice::from_ref(&ix), Some(&payer));
        let signatures = vec![solana_signature::Signature::default()];
        let transaction = solana_transaction::Transaction { signatures, message };
        let bytes = bincode::serialize(&transaction).unwrap();
        assert_eq!(transaction_size(&[ix], &payer), bytes.len());
        let keys = ProposalKeys::of(&terms);
        let ix = instructions::quarantine(&key(5), &payer, &keys, &key(1));
        let message = solana_message::Message::new(std::slice::from_ref(&ix), Some(&payer));
        let signatures = vec![solana_signature::Signature::default(); 2];
        let transaction = solana_transaction::Transaction { signatures, message };
        let bytes = bincode::serialize(&transaction).unwrap();
        assert_eq!(transaction_size(&[ix], &payer), bytes.len());
    }

    #[test]
    fn an_item_that_does_not_fit_gets_a_batch_of_its_own() {
        let batches = pack(vec![1, 9, 1, 1], |t| t.iter().sum::<i32>() <= 3);
        assert_eq!(batches, [vec![1], vec![9], vec![1, 1]]);
        assert_eq!(pack(Vec::<u8>::new(), |_| true), Vec::<Vec<u8>>::new());
        assert_eq!(halve(vec![1, 2, 3]), (vec![1], vec![2, 3]));
    }
}
