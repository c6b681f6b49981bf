//! `propose`: makes a proposal from two frozen and attested buffers.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use backend::ProposeRequest;
use upgrade_manager::state::{CRITICAL, LenRange, ProposalKind, Source, TypeRule};

use super::{DAY_SECONDS, cluster::check_cluster, signing};
use crate::{cli::Propose, session::Session, text::clean};

pub(super) async fn run(session: &Session, args: &Propose) -> Result<u8> {
    let rules =
        args.type_rules.iter().map(|text| parse_type_rule(text)).collect::<Result<Vec<_>>>()?;
    let signer = session.signer()?;
    let backend = session.backend(signer).await?;
    check_cluster(session, &backend).await?;
    let request = ProposeRequest {
        program: args.program,
        buffer: args.buffer,
        rollback_buffer: args.rollback_buffer,
        to_version: args.to_version,
        type_rules: rules,
        kind: if args.roll_forward { ProposalKind::RollForward } else { ProposalKind::Upgrade },
        oldest_version: args.oldest_version,
        expires_in: Duration::from_secs(
            u64::from(args.expires_in).saturating_mul(DAY_SECONDS.into()),
        ),
        source: Source {
            link: args.source.clone(),
            commit: args.commit.clone(),
            image: args.image.clone(),
        },
    };
    let preflight = backend.prepare_propose(request).await.map_err(|e| session.clean(&e))?;
    signing::confirm(session, &backend, preflight, args.yes, args.output.json).await
}

/// Parses `discriminator:offset:width:oldmin-oldmax:newmin-newmax`.
fn parse_type_rule(text: &str) -> Result<TypeRule> {
    let bad = || {
        format!(
            "The type rule {} is not discriminator:offset:width:oldmin-oldmax:newmin-newmax, for example 0102030405060708:8:2:57-57:79-79.",
            clean(text)
        )
    };
    let (text, flags) = match text.strip_suffix(":critical") {
        Some(rest) => (rest, CRITICAL),
        None => (text, 0),
    };
    let parts: Vec<_> = text.split(':').collect();
    let [discriminator, offset, width, old, new] = parts.as_slice() else { bail!(bad()) };
    let range = |text: &str| -> Result<LenRange> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        Ok(LenRange { min: min.parse()?, max: max.parse()? })
    };
    let read = || -> Result<TypeRule> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(discriminator, &mut bytes)?;
        Ok(TypeRule {
            discriminator: bytes,
            version_offset: offset.parse()?,
            version_width: width.parse()?,
            old_len: range(old)?,
            new_len: range(new)?,
            flags,
        })
    };
    let rule = read().with_context(bad)?;
    rule.invariant().map_err(|_| {
        anyhow::anyhow!(
            "The type rule {} is unsound: check discriminator, version position and lengths.",
            clean(text)
        )
    })?;
    Ok(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_rules_parse_and_bad_ones_show_an_example() {
        let got = parse_type_rule("0102030405060708:8:2:57:79-90").unwrap();
        assert_eq!(got.discriminator, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((got.old_len.min, got.old_len.max), (57, 57));
        assert_eq!((got.new_len.min, got.new_len.max), (79, 90));
        for bad in ["", "01:8:2:57:79", "0102030405060708:8:2:57", "0102030405060708:8:x:57:79"] {
            assert!(
                format!("{:#}", parse_type_rule(bad).unwrap_err()).contains("for example"),
                "{bad}"
            );
        }
        assert_eq!((got.flags, got.is_critical()), (0, false));
        assert!(parse_type_rule("0102030405060708:8:2:57:79-90:critical").unwrap().is_critical());
        let unsound = parse_type_rule("0000000000000000:8:2:57:79").unwrap_err();
        assert!(unsound.to_string().contains("unsound"));
    }
}
