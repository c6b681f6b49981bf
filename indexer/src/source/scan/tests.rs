//! Answers in every cut and disguise.
use serde_json::{Value, json};
use solana_pubkey::Pubkey;

use super::*;
use crate::source::testing::{account, address, keyed, listing};

fn whole(result: &Value) -> String {
    json!({"jsonrpc": "2.0", "result": result, "id": 1}).to_string()
}

fn three() -> Vec<(Pubkey, Vec<u8>)> {
    (1..=3).map(|n| (address(n), vec![u8::try_from(n).unwrap(); 40 * n as usize])).collect()
}

fn body() -> String {
    let accounts: Vec<Value> = three().iter().map(|(key, data)| keyed(key, data)).collect();
    whole(&listing(77, &accounts))
}

/// Everything in `parts`, read one after the other.
fn read(parts: &[&[u8]]) -> Result<(Vec<Raw>, Scanner), String> {
    let (mut scanner, mut rows) = (Scanner::default(), vec![]);
    for part in parts {
        let n = scanner.read(part, &mut rows, usize::MAX)?;
        assert_eq!(n, part.len());
    }
    scanner.finish()?;
    Ok((rows, scanner))
}

fn expected() -> Vec<Raw> {
    let raw = |(pubkey, data)| Raw {
        pubkey,
        owner: upgrade_manager::ID,
        slot: 77,
        write_version: 0,
        data,
    };
    three().into_iter().map(raw).collect()
}

#[test]
fn a_body_split_anywhere_gives_the_same_accounts() {
    let body = body();
    for at in 0..=body.len() {
        let (front, back) = body.as_bytes().split_at(at);
        let (rows, scanner) = read(&[front, back]).unwrap();
        assert_eq!((rows, scanner.slot()), (expected(), Some(77)), "cut at {at}");
    }
}

#[test]
fn single_bytes_and_extra_spaces_give_the_same_accounts() {
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&body()).unwrap());
    for text in [body(), pretty.unwrap(), format!("  {}\r\n\t ", body())] {
        let parts: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(&parts).unwrap().0, expected());
    }
}

#[test]
fn a_truncated_body_is_an_error_wherever_it_ends() {
    let body = body();
    for end in 0..body.len() {
        let error = read(&[&body.as_bytes()[..end]]).err();
        assert!(error.is_some(), "{}", &body[..end]);
    }
}

#[test]
fn accounts_before_their_slot_are_refused() {
    let accounts = vec![keyed(&address(1), &[1])];
    let value = serde_json::to_string(&accounts).unwrap();
    let late = format!(r#"{{"result":{{"value":{value},"context":{{"slot":9}}}}}}"#);
    let error = read(&[late.as_bytes()]).err().unwrap();
    assert!(error.contains("before it names their slot"), "{error}");
}

#[test]
fn unknown_fields_are_skipped_whatever_they_hold() {
    let mut one = keyed(&address(1), &[1, 2, 3]);
    one["account"]["note"] = json!({"deep": [[{"a": "}]\"\\"}], "]}", 1.5e3, null, true]});
    one["more"] = json!("\"value\":[");
    let result = json!({
        "context": {"slot": 77, "apiVersion": "9", "extra": {"slot": 5}},
        "before": [{"context": {"slot": 1}, "value": []}, "\\\"}", -1],
        "value": [one],
        "zlast": {"value": [1, 2]},
    });
    let body = json!({"aaa": [{}], "jsonrpc": "2.0", "result": result, "usage": {"x": [0.1]}});
    // This library sorts keys; a node does not, but the slot must come first.
    let text = body.to_string().replacen("\"before\"", "\"zbefore\"", 1);
    let ordered = text.replace(r#""zbefore":"#, r#""unasked":"#);
    let (rows, _) = match read(&[ordered.as_bytes()]) {
        Ok(read) => read,
        Err(error) => panic!("{error}: {ordered}"),
    };
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].pubkey, rows[0].slot, &rows[0].data), (address(1), 77, &vec![1, 2, 3]));
}

#[test]
fn every_page_but_the_last_has_a_key() {
    let page = |key: Value| {
        let accounts = vec![keyed(&address(1), &[1])];
        let value = json!({"accounts": accounts, "paginationKey": key, "totalResults": 3});
        json!({"context": {"slot": 77}, "value": value})
    };
    let (rows, scanner) = read(&[whole(&page(json!("abc"))).as_bytes()]).unwrap();
    assert_eq!((rows.len(), scanner.cursor()), (1, Some("abc")));
    let (_, scanner) = read(&[whole(&page(Value::Null)).as_bytes()]).unwrap();
    assert_eq!(scanner.cursor(), None);
    let bare = json!({"accounts": [], "paginationKey": null});
    let error = read(&[whole(&bare).as_bytes()]).err().unwrap();
    assert!(error.contains("slot"), "a page without a slot is of no use: {error}");
}

#[test]
fn an_error_is_read_instead_of_accounts() {
    let body = json!({"jsonrpc": "2.0", "error": {"code": -32012, "message": "scan"}, "id": 1});
    let (rows, scanner) = read(&[body.to_string().as_bytes()]).unwrap();
    let error = scanner.error().unwrap();
    assert_eq!((rows.len(), error.code, error.message.as_str()), (0, -32012, "scan"));
    let both = format!(r#"{{"error":null,{}"#, &self::body()[1..]);
    assert_eq!(read(&[both.as_bytes()]).unwrap().0, expected(), "some nodes send both");
}

#[test]
fn an_answer_of_another_shape_is_refused() {
    let twice = r#"{"context":{"slot":1},"value":[],"accounts":[]}"#;
    let wrong_owner = {
        let mut one = keyed(&address(1), &[1]);
        one["account"]["owner"] = json!("nobody");
        whole(&listing(1, &[one]))
    };
    let zstd = {
        let mut one = keyed(&address(1), &[1]);
        one["account"]["data"][1] = json!("base64+zstd");
        whole(&listing(1, &[one]))
    };
    let slot = whole(&json!({"context": {"slot": u64::MAX}, "value": []}));
    for body in [
        "".to_owned(),
        "[]".to_owned(),
        "<html>".to_owned(),
        "{}".to_owned(),
        r#"{"result":null}"#.to_owned(),
        r#"{"result":5}"#.to_owned(),
        r#"{"result":{"context":{"slot":1},"value":null}}"#.to_owned(),
        r#"{"result":{"context":{"slot":1},"value":[5]}}"#.to_owned(),
        r#"{"result":{"context":{"slot":1},"value":[{}]}}"#.to_owned(),
        r#"{"result":{"context":{"slot":1},"value":[,]}}"#.to_owned(),
        r#"{"result":{"context":{"slot":-1},"value":[]}}"#.to_owned(),
        r#"{"result":{"context":{"slot":1},"context":{"slot":2},"value":[]}}"#.to_owned(),
        format!(r#"{{"result":{twice}}}"#),
        format!("{}{}", self::body(), self::body()),
        wrong_owner,
        zstd,
        slot,
    ] {
        assert!(read(&[body.as_bytes()]).is_err(), "{body}");
    }
}

#[test]
fn an_oversized_account_is_refused_before_it_fills_memory() {
    let (mut scanner, mut rows) = (Scanner::default(), vec![]);
    let head = br#"{"result":{"context":{"slot":1},"value":[{"pubkey":""#;
    scanner.read(head, &mut rows, PIECE_ACCOUNTS).unwrap();
    let part = vec![b'1'; 1 << 20];
    let mut fed = 0;
    let error = loop {
        match scanner.read(&part, &mut rows, PIECE_ACCOUNTS) {
            Ok(n) => fed += n,
            Err(error) => break error,
        }
        assert!(fed <= MAX_ACCOUNT_LEN + part.len());
    };
    assert!(error.contains("longer than"), "{error}");
    assert!(scanner.held.len() <= MAX_ACCOUNT_LEN);
}

const PIECE_ACCOUNTS: usize = 1_000;

#[test]
fn the_largest_account_is_read_and_its_buffer_freed() {
    let data = vec![9; 10 << 20];
    let text = whole(&listing(1, &[keyed(&address(1), &data), keyed(&address(2), &[1])]));
    let (mut scanner, mut rows) = (Scanner::default(), vec![]);
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let part = &rest[..rest.len().min(60_000)];
        let n = scanner.read(part, &mut rows, PIECE_ACCOUNTS).unwrap();
        if n < part.len() {
            assert_eq!(rows.len(), 1, "a heavy piece ends at once");
            assert_eq!(rows.pop().unwrap().data.len(), data.len());
        }
        rest = &rest[n..];
    }
    scanner.finish().unwrap();
    assert_eq!(rows.len(), 1);
    assert!(scanner.held.capacity() <= SPARE_BYTES, "{}", scanner.held.capacity());
}

#[test]
fn no_more_rows_stand_in_memory_than_a_piece_holds_at_200_000_accounts() {
    let (mut scanner, mut rows) = (Scanner::default(), vec![]);
    let (mut seen, mut peak, mut held) = (0, 0, 0);
    let mut feed = |bytes: &[u8]| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = scanner.read(rest, &mut rows, PIECE_ACCOUNTS).unwrap();
            rest = &rest[n..];
            peak = peak.max(rows.len());
            held = held.max(scanner.held.capacity());
            if !rest.is_empty() {
                seen += rows.len();
                rows.clear();
            }
        }
    };
    feed(br#"{"jsonrpc":"2.0","result":{"context":{"slot":1},"value":["#);
    let one = keyed(&address(1), &[7; 120]).to_string();
    let many = vec![one; 1_000].join(",");
    for n in 0..200 {
        if n > 0 {
            feed(b",");
        }
        // Parts end in the middle of accounts.
        for part in many.as_bytes().chunks(50_021) {
            feed(part);
        }
    }
    feed(br#"]},"id":1}"#);
    scanner.finish().unwrap();
    assert_eq!((seen + rows.len(), scanner.accounts()), (200_000, 200_000));
    assert!(peak <= PIECE_ACCOUNTS, "{peak}");
    assert!(held <= SPARE_BYTES, "{held}");
}

#[test]
fn blank_accounts_are_counted_but_not_returned() {
    let value =
        vec![keyed(&address(1), &[]), keyed(&address(2), &[0; 9]), keyed(&address(3), &[1])];
    let (rows, _) = read(&[whole(&listing(1, &value)).as_bytes()]).unwrap();
    assert_eq!(rows.iter().map(|r| r.pubkey).collect::<Vec<_>>(), [address(3)]);
    let of_another =
        json!({"pubkey": address(4).to_string(), "account": account(&address(5), &[1])});
    let (rows, _) = read(&[whole(&listing(1, &[of_another])).as_bytes()]).unwrap();
    assert_eq!(rows[0].owner, address(5), "who owns it is for the decoder to judge");
}
