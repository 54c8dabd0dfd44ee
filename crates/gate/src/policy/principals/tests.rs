//! The look-ups against a walk over the list, for every kind of caller and list.

use super::*;

const ACCOUNT: &str = "000000000000";
const USER: &str = "arn:aws:iam::000000000000:user/ana";
const ROLE: &str = "arn:aws:iam::000000000000:role/work";
const SESSION: &str = "arn:aws:sts::000000000000:assumed-role/work/one";

fn all() -> Vec<Principal> {
    let aws = |name: &str| Principal::Aws(name.to_owned());
    vec![
        Principal::Everyone,
        aws(ACCOUNT),
        aws("arn:aws:iam::000000000000:root"),
        aws("111111111111"),
        aws(USER),
        aws(ROLE),
        aws(SESSION),
        aws("arn:aws:iam::000000000000:user/bob"),
        Principal::CanonicalUser("ana".to_owned()),
        Principal::Federated(USER.to_owned()),
        Principal::Service(USER.to_owned()),
    ]
}

/// One of them, looked at alone.
fn names(principal: &Principal, caller: &Caller<'_>, delegates: bool) -> Option<By> {
    let when = |holds: bool| holds.then_some(By::Principal);
    match (principal, caller) {
        (Principal::Everyone, _) => Some(By::Principal),
        (Principal::Aws(name), caller) => match account_of(name) {
            Some(account) => {
                let own = matches!(caller, Caller::User { .. } | Caller::Role { .. });
                when(caller.account() == Some(account) && !(delegates && own))
            }
            None => match caller {
                Caller::User { arn, .. } => when(name == arn),
                Caller::Role { session, .. } if name == session => Some(By::Session),
                Caller::Role { role, .. } if name == role => Some(By::Role),
                _ => None,
            },
        },
        (Principal::CanonicalUser(id), caller) => when(caller.id() == Some(id.as_str())),
        (Principal::Federated(_) | Principal::Service(_), _) => None,
    }
}

#[test]
fn every_list_names_whom_a_walk_over_it_names() {
    let callers = [
        Caller::Anonymous,
        Caller::Root {
            account: ACCOUNT,
            id: "root",
        },
        Caller::User {
            account: ACCOUNT,
            arn: USER,
            id: "ana",
        },
        Caller::Role {
            account: ACCOUNT,
            role: ROLE,
            session: SESSION,
            id: "role/work",
        },
    ];
    let all = all();
    for chosen in 0..(1u32 << all.len()) {
        let list: Vec<Principal> = (0..all.len())
            .filter(|at| chosen & (1 << at) != 0)
            .map(|at| all[at].clone())
            .collect();
        for negated in [false, true] {
            let principals = Principals::new(negated, list.clone());
            for caller in &callers {
                for effect in [Effect::Allow, Effect::Deny] {
                    let delegates = effect == Effect::Allow && !negated;
                    let walked = list.iter().filter_map(|p| names(p, caller, delegates)).max();
                    let walked = match negated {
                        true => walked.is_none().then_some(By::Principal),
                        false => walked,
                    };
                    assert_eq!(
                        principals.about(caller, effect),
                        walked,
                        "{caller:?} {effect:?} {negated} {list:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_provider_is_found_among_others() {
    let of = |n: usize| Principal::Federated(format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{n}"));
    let many = Principals::new(false, (0..1000).map(of).collect());
    assert!(many.is_about_provider(&format!("arn:aws:iam::{ACCOUNT}:oidc-provider/512")));
    assert!(!many.is_about_provider(&format!("arn:aws:iam::{ACCOUNT}:oidc-provider/1000")));
}
