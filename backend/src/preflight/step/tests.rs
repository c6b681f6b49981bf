use super::*;

const SUBJECT: &str = "proposal 0 of program x";

#[test]
fn a_vote_for_rollback_does_not_read_like_the_rollback() {
    let (vote, last) = (Step::rollback_vote(2, 3), Step::rollback_vote(3, 3));
    let act = Step::rollback(200, 41);
    for vote in [&vote, &last, &Step::guardian_rollback(), &Step::give_up_vote(1, 3)] {
        assert!(vote.is_vote && vote.name != act.name);
        assert_ne!(vote.title(SUBJECT), act.title(SUBJECT));
        assert!(vote.consequence.contains("separate step"), "{}", vote.consequence);
        assert!(!vote.report(SUBJECT, 9).starts_with("Roll"), "{}", vote.report(SUBJECT, 9));
    }
    assert_eq!(vote.title(SUBJECT), "Vote to roll back proposal 0 of program x");
    assert_eq!(
        vote.consequence,
        "This is your vote 2 of 3 to roll back: 1 more is needed, and the rollback itself is a \
         separate step. No account and no code changes. This vote cannot be taken back."
    );
    assert_eq!(
        vote.report(SUBJECT, 9),
        "Your vote to roll back proposal 0 of program x is confirmed in slot 9. As counted before it \
         was sent: 2 of 3 votes are cast, 1 more is needed; nothing is rolled back yet."
    );
    let report = last.report(SUBJECT, 9);
    assert!(report.contains("has not been carried out"), "{report}");
    assert!(report.contains("`control-room rollback --proposal"), "{report}");
    assert_eq!(act.title(SUBJECT), "Roll back proposal 0 of program x");
    assert!(act.consequence.contains("restores 200 accounts"), "{}", act.consequence);
}

#[test]
fn a_vote_to_lift_a_pause_does_not_read_like_lifting_it() {
    let (vote, act) = (Step::unpause(1, 3), Step::unpause(3, 3));
    assert_eq!(vote.title("multisig t"), "Vote to lift the pause of multisig t");
    assert_eq!(act.title("multisig t"), "Lift the pause of multisig t");
    assert!(vote.consequence.contains("2 more are needed"), "{}", vote.consequence);
    assert!(vote.report("multisig t", 9).ends_with("2 more are needed; the pause stays."));
    assert!(act.report("multisig t", 9).ends_with("the pause is lifted."));
}

#[test]
fn no_two_verbs_share_a_title() {
    let verbs = [
        Verb::Propose,
        Verb::Approve,
        Verb::Reject,
        Verb::Revoke,
        Verb::Cancel,
        Verb::Expire,
        Verb::Execute,
        Verb::Migrate,
        Verb::Verify,
        Verb::RollBack { give_up: false },
    ];
    let titles: std::collections::BTreeSet<_> =
        verbs.iter().map(|v| Step::of(*v).title(SUBJECT)).collect();
    assert_eq!(titles.len(), verbs.len());
}
