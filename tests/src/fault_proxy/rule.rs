//! Which calls a rule applies to, and what happens to one call.
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    change::{self, Change, Memory},
    transaction,
};

/// One fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// The method whose answers are changed.
    pub method: String,
    /// Only calls with these parameters. A list is compared by position, an object by key; further
    /// parameters of the call do not matter.
    pub params: Option<Value>,
    /// Calls that the rule leaves unchanged first.
    #[serde(default)]
    pub after: u64,
    /// Calls that the rule then changes; all when absent.
    pub calls: Option<u64>,
    /// Whether the case may end without such a call, because the client has several ways to ask.
    #[serde(default)]
    pub optional: bool,
    /// The fault.
    pub change: Change,
}

/// A rule and its state.
struct Active {
    rule: Rule,
    state: Mutex<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    /// Calls so far that the rule applies to.
    seen: u64,
    /// Whether it changed an answer.
    used: bool,
    first: Option<Value>,
}

impl Active {
    fn lock(&self) -> MutexGuard<'_, ProxyState> {
        locked(&self.state)
    }

    /// Whether the rule applies to this call; counts it.
    fn takes(&self, request: &Value) -> bool {
        let wanted = self.rule.params.as_ref();
        if request["method"] != self.rule.method.as_str()
            || !wanted.is_none_or(|wanted| contains(&request["params"], wanted))
        {
            return false;
        }
        let mut state = self.lock();
        state.seen += 1;
        let number = state.seen.saturating_sub(self.rule.after);
        number > 0 && self.rule.calls.is_none_or(|calls| number <= calls)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() >= wanted.len() && found.iter().zip(wanted).all(|(f, w)| contains(f, w))
        }
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, w)| found.get(key).is_some_and(|f| contains(f, w)))
        }
        _ => found == wanted,
    }
}

/// All rules of a proxy, in the order of the file.
pub(super) struct FaultRules {
    rules: Vec<Active>,
    memory: Mutex<Memory>,
    sent: Mutex<Vec<String>>,
}

impl FaultRules {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        let active = |rule| Active { rule, state: Mutex::default() };
        let rules = rules.into_iter().map(active).collect();
        Self { rules, memory: Mutex::default(), sent: Mutex::default() }
    }

    pub(super) fn sent(&self) -> Vec<String> {
        locked(&self.sent).clone()
    }

    pub(super) fn unused(&self) -> Vec<Rule> {
        let unused = self.rules.iter().filter(|r| !r.rule.optional && !r.lock().used);
        unused.map(|r| r.rule.clone()).collect()
    }

    /// One call with the rules that apply to it.
    pub(super) fn call<'a>(&'a self, request: &Value) -> RpcCall<'a> {
        if request["method"] == "sendTransaction"
            && let Some(signature) = transaction::signature(&request["params"])
        {
            let mut sent = locked(&self.sent);
            if !sent.contains(&signature) {
                sent.push(signature);
            }
        }
        let rules: Vec<_> = self.rules.iter().filter(|r| r.takes(request)).collect();
        let mut forwarded = request.clone();
        if rules.iter().any(|r| r.rule.change.is_about_history()) {
            // Changes the whole list and then cuts the requested page out of it, so that pages
            // agree with each other.
            change::ask_for_whole_history(&mut forwarded["params"]);
        }
        RpcCall { rules, memory: &self.memory, asked: request.clone(), forwarded }
    }
}

/// One call.
pub(super) struct RpcCall<'a> {
    rules: Vec<&'a Active>,
    memory: &'a Mutex<Memory>,
    asked: Value,
    forwarded: Value,
}

impl RpcCall<'_> {
    /// The call that goes to the chain.
    pub(super) fn forwarded(&self) -> &Value {
        &self.forwarded
    }

    /// The answer, when a rule answers instead of the chain.
    pub(super) fn instead(&self) -> Option<Value> {
        self.rules.iter().find_map(|active| {
            let memory = locked(self.memory);
            let answer = active.rule.change.instead(&self.asked["params"], &memory)?;
            active.lock().used = true;
            let mut whole = json!({"jsonrpc": "2.0", "id": self.asked["id"]});
            let (key, value) = match answer {
                Ok(result) => ("result", result),
                Err(error) => ("error", error),
            };
            whole[key] = value;
            Some(whole)
        })
    }

    /// Changes the chain's answer.
    pub(super) fn change(&self, answer: &mut Value) {
        let Some(result) = answer.get_mut("result") else { return };
        for active in &self.rules {
            let (mut state, mut memory) = (active.lock(), locked(self.memory));
            let changed = active.rule.change.apply(result, &mut state.first, &mut memory);
            state.used |= changed;
        }
        if self.asked != self.forwarded {
            change::cut_page(result, &self.asked["params"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> FaultRules {
        #[derive(Deserialize)]
        struct File {
            rule: Vec<Rule>,
        }
        FaultRules::new(toml::from_str::<File>(text).expect("rules").rule)
    }

    fn asked(rules: &FaultRules, method: &str, params: Value, truth: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let call = rules.call(&request);
        let true_answer = || json!({"jsonrpc": "2.0", "id": 7, "result": truth});
        let mut answer = call.instead().unwrap_or_else(true_answer);
        call.change(&mut answer);
        answer
    }

    #[test]
    fn a_rule_changes_the_calls_it_is_about_and_no_other() {
        let rules = rules(
            r#"
            [[rule]]
            method = "getBlockHeight"
            params = [{ commitment = "confirmed" }]
            after = 1
            calls = 2
            change.add = { number = 100 }
            "#,
        );
        let confirmed = || json!([{"commitment": "confirmed", "minContextSlot": 3}]);
        let heights: Vec<_> = (0..4)
            .map(|_| asked(&rules, "getBlockHeight", confirmed(), json!(5))["result"].clone())
            .collect();
        assert_eq!(heights, [5, 105, 105, 5]);
        let other = json!([{"commitment": "finalized"}]);
        assert_eq!(asked(&rules, "getBlockHeight", other, json!(5))["result"], 5);
        assert_eq!(asked(&rules, "getSlot", confirmed(), json!(5))["result"], 5);
    }

    #[test]
    fn pages_of_a_changed_history_agree_with_each_other() {
        let rules = rules(
            r#"
            [[rule]]
            method = "getSignaturesForAddress"
            change.add-entry = { signature = "stranger", err = { FutureError = 1 } }
            [[rule]]
            method = "getSignaturesForAddress"
            change.drop-oldest = 1
            "#,
        );
        let truth = || json!([{"signature": "b", "slot": 9}, {"signature": "a", "slot": 8}, {"signature": "0", "slot": 7}]);
        let list = |options: Value| {
            let params = json!(["program", options]);
            let answer = asked(&rules, "getSignaturesForAddress", params, truth());
            let names = answer["result"].as_array().expect("a list").iter();
            names.map(|e| e["signature"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(list(json!({"limit": 1000})), ["stranger", "b", "a"]);
        assert_eq!(list(json!({"limit": 1})), ["stranger"]);
        assert_eq!(list(json!({"limit": 1000, "before": "stranger"})), ["b", "a"]);
        assert_eq!(list(json!({"limit": 1000, "before": "a"})), [""; 0]);
        assert!(rules.unused().is_empty());
    }

    #[test]
    fn an_answer_can_be_replaced_frozen_and_bent_in_every_account() {
        let rules = rules(
            r#"
            [[rule]]
            method = "a"
            change.error = { code = -32015, message = "no" }
            [[rule]]
            method = "b"
            change = "freeze"
            [[rule]]
            method = "c"
            change.set = { key = "rentEpoch", json = "18446744073709552000" }
            [[rule]]
            method = "c"
            change.remove = "space"
            [[rule]]
            method = "d"
            change = "null-statuses"
            [[rule]]
            method = "e"
            change.truncate = { percent = 60, last = ["1"] }
            [[rule]]
            method = "f"
            change.add = { number = 5, key = "blockHeight" }
            "#,
        );
        assert_eq!(asked(&rules, "a", json!([]), json!(1))["error"]["code"], -32015);
        for height in [5, 6] {
            assert_eq!(asked(&rules, "b", json!([]), json!(height))["result"], 5);
        }
        let account = json!({"value": [null, {"rentEpoch": u64::MAX, "space": 3, "lamports": 1}]});
        let bent = change::text(&asked(&rules, "c", json!([]), account));
        assert!(bent.contains(r#""rentEpoch":18446744073709552000"#), "{bent}");
        assert!(!bent.contains("space") && bent.contains("lamports"), "{bent}");
        let statuses = json!({"value": [{"slot": 1}, {"slot": 2}]});
        let none = asked(&rules, "d", json!([]), statuses);
        assert_eq!(none["result"]["value"], json!([null, null]));
        let list = json!([{"pubkey": "1"}, {"pubkey": "3"}, {"pubkey": "2"}]);
        let kept = asked(&rules, "e", json!([]), list);
        assert_eq!(kept["result"], json!([{"pubkey": "2"}, {"pubkey": "3"}]));
        let epoch = json!({"absoluteSlot": 3, "blockHeight": 2});
        let high = json!({"absoluteSlot": 3, "blockHeight": 7});
        assert_eq!(asked(&rules, "f", json!([]), epoch)["result"], high);
        assert!(rules.unused().is_empty());
    }

    #[test]
    fn a_key_that_no_rule_has_is_refused() {
        for text in [
            "method = 'a'\nchange = 'freeze'\ncall = 1",
            "method = 'a'\nchange.truncate = { percent = 60, at = 1 }",
            "method = 'a'\nchange = 'melt'",
        ] {
            assert!(toml::from_str::<Rule>(text).is_err(), "{text}");
        }
    }
}
