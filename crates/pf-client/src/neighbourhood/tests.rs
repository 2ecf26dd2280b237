//! What is listed of known hosts and adverts, and that it agrees with what the route then is.

use pf_base::HardwareAddress;
use pf_store::{ClientStore, DataDir, HostFacts};
use pf_trust::{
    proof::Comparison,
    route::{Named, PinnedBy, Route},
};
use tempfile::TempDir;

use super::*;
use crate::Client;

fn key(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 32])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn name(text: &str) -> DeviceName {
    DeviceName::sanitise(text)
}

fn address(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 9777).into()
}

/// An advert that says these, at an address of its own.
fn advert(instance: &str, called: &str, id: &str, claims: Option<u8>, policy: Option<PairPolicy>) -> Advert {
    Advert {
        instance: instance.to_owned(),
        name: name(called),
        id: Some(id.to_owned()),
        fingerprint: claims.map(key),
        policy,
        addresses: vec![address(100 + claims.unwrap_or(99))],
    }
}

fn known(number: u8, called: &str, state: HostState) -> KnownHost {
    KnownHost {
        fingerprint: key(number),
        label: name(called),
        own_name: name(called),
        state,
        advert_ids: vec![format!("id-{number}")],
        host_names: vec![called.to_lowercase()],
        addresses: vec![address(number)],
        last_used: None,
        hardware: Vec::new(),
    }
}

const PINNED: HostState = HostState::Pinned { how: PinnedBy::Pin, at: Timestamp::from_millis(1) };

fn around(hosts: &[KnownHost], adverts: &[Advert]) -> Vec<Listed> {
    let mut neighbourhood = Neighbourhood::default();
    neighbourhood.know(hosts.to_vec());
    for advert in adverts {
        neighbourhood.see(Sighting::Seen(advert.clone()));
    }
    neighbourhood.list()
}

fn names(listed: &[Listed]) -> Vec<&str> {
    listed.iter().map(|listed| listed.name.as_str()).collect()
}

const OPEN: Option<PairPolicy> = Some(PairPolicy::Optional);
const REQUIRED: Option<PairPolicy> = Some(PairPolicy::Required);

#[test]
fn pinned_hosts_come_first_by_last_use_then_known_ones_then_new_ones_by_name() {
    let used = |host: KnownHost, millis| KnownHost { last_used: Some(at(millis)), ..host };
    let hosts = [
        known(1, "never used", PINNED),
        used(known(2, "used before", PINNED), 10),
        known(3, "asked", HostState::Asked { at: at(3) }),
        used(known(4, "Forgotten", HostState::Forgotten { at: at(4) }), 99),
        used(known(5, "used last", PINNED), 20),
    ];
    let adverts = [advert("b", "Bath", "x", Some(11), OPEN), advert("a", "attic", "y", Some(12), REQUIRED)];
    let listed = around(&hosts, &adverts);
    let order = ["used last", "used before", "never used", "asked", "Forgotten", "attic", "Bath"];
    assert_eq!(names(&listed), order);
}

/// An advert renames or re-addresses a pinned host in the list.
#[test]
fn r1_a_pinned_host_keeps_its_name_and_its_addresses_whatever_is_advertised() {
    let mut host = known(1, "tower", PINNED);
    host.hardware = HardwareAddress::new([2, 0, 0, 0, 0, 1]).into_iter().collect();
    let genuine = advert("tower", "Renamed", "id-1", Some(1), OPEN);
    let listed = around(&[host.clone()], &[genuine]);
    let [tower] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((tower.name.as_str(), &tower.key), ("tower", &ListedKey::Known(key(1))));
    assert_eq!(tower.identity, ListedIdentity::Proved(key(1)));
    assert_eq!(
        tower.addresses,
        [address(1), address(101)],
        "where it proved its key, before where it is said to be"
    );
    assert!(tower.is_advertised && !tower.is_disputed && tower.is_wakeable);

    let impostor = advert("evil", "Tower", "other", Some(66), OPEN);
    let listed = around(&[host], &[impostor]);
    let [tower] = listed.as_slice() else { panic!("an impostor beside it: {listed:?}") };
    assert_eq!(tower.identity, ListedIdentity::Proved(key(1)));
    assert_eq!(tower.addresses, [address(1)], "nobody else is dialled in its place");
    assert!(!tower.is_advertised && tower.is_disputed);
}

/// Of a host that requires pairing and an impostor of its name that does not, the impostor is picked and trusted.
#[test]
fn r3_of_adverts_that_disagree_the_strictest_counts_for_each_of_them() {
    for (one, other) in [
        (advert("a", "desk", "x", Some(1), REQUIRED), advert("b", "DESK", "y", Some(2), OPEN)),
        (advert("a", "desk", "x", Some(1), REQUIRED), advert("b", "other", "x", Some(2), OPEN)),
        (advert("a", "desk", "x", Some(1), REQUIRED), advert("b", "other", "x", None, OPEN)),
        (advert("a", "desk", "x", Some(1), REQUIRED), advert("b", "other", "y", Some(1), OPEN)),
    ] {
        for listed in around(&[], &[one.clone(), other.clone()]) {
            assert_eq!(listed.policy, route::Advert::Required, "{listed:?} of {one:?}, {other:?}");
        }
    }
    let unclear = [advert("a", "desk", "x", Some(1), None), advert("b", "desk", "y", Some(2), OPEN)];
    assert!(around(&[], &unclear).iter().all(|listed| listed.policy == route::Advert::Unknown));
}

#[test]
fn two_new_machines_of_one_name_can_both_be_picked_and_say_that_there_are_two() {
    let adverts =
        [advert("desk", "desk", "x", Some(1), REQUIRED), advert("desk (2)", "desk", "y", Some(2), REQUIRED)];
    let listed = around(&[], &adverts);
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|listed| listed.is_disputed && listed.addresses.len() == 1), "{listed:?}");
    let alone = around(&[], &adverts[..1]);
    assert!(!alone[0].is_disputed && alone[0].is_advertised);
    assert_eq!(alone[0].identity, ListedIdentity::Claimed(key(1)));
    assert_eq!(alone[0].fingerprint(), None, "a claim is no proof");
}

#[test]
fn of_two_pinned_namesakes_each_has_its_own_adverts() {
    let hosts = [known(1, "desk", PINNED), known(2, "desk", PINNED)];
    let adverts = [
        advert("desk", "desk", "id-1", Some(1), REQUIRED),
        advert("desk (2)", "desk", "id-2", Some(2), OPEN),
    ];
    let listed = around(&hosts, &adverts);
    assert_eq!(listed.len(), 2);
    for listed in &listed {
        let own = if listed.key == ListedKey::Known(key(1)) { 1 } else { 2 };
        assert_eq!(listed.addresses, [address(own), address(100 + own)]);
        assert!(listed.is_advertised && !listed.is_disputed, "{listed:?}");
    }
}

/// A machine that was looked at once hides another of its name for good.
#[test]
fn a_namesake_of_a_host_that_was_never_pinned_is_listed_beside_it_and_is_not_open() {
    for state in [HostState::Asked { at: at(1) }, HostState::SeenRequired { at: at(1) }] {
        let listed = around(&[known(1, "desk", state)], &[advert("b", "desk", "other", Some(2), OPEN)]);
        let [seen, new] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!((seen.state, new.state), (Some(state), None));
        assert_eq!((new.policy, new.is_disputed), (route::Advert::Required, true));
    }
}

/// The list fills with keys of the past, which nobody can clear away.
#[test]
fn of_what_is_neither_pinned_nor_advertised_the_last_few_are_listed() {
    let mut hosts: Vec<_> =
        (1..=20).map(|number| known(number, "x", HostState::Asked { at: at(number.into()) })).collect();
    hosts.push(KnownHost {
        addresses: Vec::new(),
        ..known(21, "replaced", HostState::Forgotten { at: at(99) })
    });
    hosts.push(known(22, "pinned", PINNED));
    let adverts = [advert("a", "x", "id-1", Some(1), REQUIRED)];
    let listed = around(&hosts, &adverts);
    let mut kept: Vec<_> = listed.iter().filter_map(Listed::fingerprint).collect();
    kept.sort();
    let expected: Vec<_> = [1].into_iter().chain(13..=20).chain([22]).map(key).collect();
    assert_eq!(kept, expected);
}

/// A flood of adverts fills the memory, or has every list take seconds.
#[test]
fn a_flood_of_adverts_is_bounded() {
    let mut neighbourhood = Neighbourhood::default();
    for number in 0..2 * Adverts::MAX {
        let mut flood = advert(&format!("instance {number}"), "desk", "x", None, OPEN);
        flood.addresses = (0..16).map(|port| ([192, 0, 2, 1], number as u16 * 16 + port).into()).collect();
        neighbourhood.see(Sighting::Seen(flood));
    }
    let listed = neighbourhood.list();
    assert_eq!((listed.len(), listed[0].addresses.len()), (1, MAX_ADDRESSES));
    assert_eq!(listed[0].adverts.len(), Adverts::MAX);
    neighbourhood.see(Sighting::Gone("instance 0".to_owned()));
    assert_eq!(neighbourhood.list()[0].adverts.len(), Adverts::MAX - 1);
    neighbourhood.lose_sight();
    assert_eq!(neighbourhood.list(), []);
}

/// How a client may know the host that everything below is about, which has the key 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knows {
    Nothing,
    Seen,
    Asked,
    Forgotten,
    Pinned,
}

/// A client that knows one host so, as `tower` by the id `id-1`; its person calls it `Sofa`.
fn client(knows: Knows) -> (TempDir, Client) {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("data");
    let client = Client::open(&path, name("couch")).unwrap();
    let mut store = ClientStore::open(&DataDir::open(&path).unwrap()).unwrap();
    let facts = HostFacts {
        named: Named::Discovered,
        meant: None,
        label: name("tower"),
        advert_id: Some("id-1".to_owned()),
        host_name: Some("tower".to_owned()),
        address: Some(address(1)),
    };
    match knows {
        Knows::Nothing => {}
        Knows::Seen => store.seen_required(key(1), &facts, at(1)).unwrap(),
        Knows::Asked => store.asked(key(1), &facts, at(1)).unwrap(),
        Knows::Forgotten | Knows::Pinned => {
            store.pin_approved(key(1), Comparison::CodeShown, &facts, at(1)).unwrap();
        }
    }
    store.rename(key(1), &name("Sofa"), at(2)).unwrap();
    if knows == Knows::Forgotten {
        store.forget(key(1), at(3)).unwrap();
    }
    (temp, client)
}

/// Every advert that somebody might send in the place of that host or of another one.
fn any_advert() -> Vec<Advert> {
    let mut adverts = Vec::new();
    for called in ["tower", "SOFA", "cellar"] {
        for id in ["id-1", "id-9"] {
            for claims in [Some(1), Some(9), None] {
                for policy in [OPEN, None, REQUIRED] {
                    adverts.push(advert(called, called, id, claims, policy));
                }
            }
        }
    }
    adverts
}

/// The list shows a host as new and open which the client knows otherwise; or, the other way round, an impostor is
/// offered for trust on first use under the name of a host that was pinned, forgotten, asked or seen.
#[tokio::test]
async fn r3_what_is_listed_is_what_the_route_makes_of_it() {
    for knows in [Knows::Nothing, Knows::Seen, Knows::Asked, Knows::Forgotten, Knows::Pinned] {
        let (_temp, client) = client(knows);
        for advert in any_advert() {
            let listed = around(&client.hosts().unwrap(), std::slice::from_ref(&advert));
            for listed in listed {
                let route = client.route(&client.pick(&listed).unwrap(), None).unwrap();
                let is_of = advert.name.as_str() != "cellar"
                    || advert.id.as_deref() == Some("id-1")
                    || advert.fingerprint == Some(key(1));
                let expected = match listed.state {
                    Some(HostState::Pinned { .. } | HostState::Asked { .. }) => {
                        Route::Connect { expect: key(1) }
                    }
                    Some(HostState::Forgotten { .. }) => Route::PinOnly,
                    Some(HostState::SeenRequired { .. }) => Route::Choose { ask: true, first_use: false },
                    // Another key under a name of the host that was asked: the asked key is expected, and the question
                    // is put again when it is another.
                    None if knows == Knows::Asked && is_of => Route::Connect { expect: key(1) },
                    None => {
                        let first_use = listed.policy == route::Advert::Optional;
                        assert!(!first_use || knows == Knows::Nothing || !is_of, "{knows:?}: {listed:?}");
                        Route::Choose { ask: !first_use, first_use }
                    }
                };
                assert_eq!(route, expected, "{knows:?}: {listed:?}");
                let was_pinned = matches!(knows, Knows::Pinned | Knows::Forgotten);
                assert!(
                    listed.state.is_some() || !was_pinned || !is_of,
                    "beside the one it may be: {listed:?}"
                );
            }
        }
    }
}

/// Of two pinned hosts of one name the one that was picked is taken for the other, and raises its alarm.
#[tokio::test]
async fn r3_of_two_pinned_namesakes_the_picked_one_is_expected() {
    let (temp, client) = client(Knows::Nothing);
    let mut store = ClientStore::open(&DataDir::open(temp.path().join("data")).unwrap()).unwrap();
    for number in 1..=2 {
        let facts = HostFacts {
            named: Named::ByHand,
            meant: None,
            label: name("desk"),
            advert_id: None,
            host_name: None,
            address: Some(address(number)),
        };
        store.pin_approved(key(number), Comparison::CodeShown, &facts, at(number.into())).unwrap();
    }
    let listed = around(&client.hosts().unwrap(), &[]);
    assert_eq!(names(&listed), ["desk", "desk"]);
    for listed in &listed {
        let found = client.pick(listed).unwrap();
        let expect = listed.fingerprint().unwrap();
        assert_eq!(client.route(&found, None).unwrap(), Route::Connect { expect });
    }
    assert!(
        matches!(client.find("desk").await, Err(crate::Failure::Ambiguous(_))),
        "a text cannot tell them apart"
    );
    client.rename(key(2), &name("attic")).unwrap();
    let found = client.find("desk").await.unwrap();
    assert_eq!(
        client.route(&found, None).unwrap(),
        Route::Connect { expect: key(1) },
        "and a name of its own does"
    );

    let before = &around(&client.hosts().unwrap(), &[])[0];
    client.forget(before.fingerprint().unwrap()).unwrap();
    let found = client.pick(before).unwrap();
    assert_eq!(client.route(&found, None).unwrap(), Route::PinOnly, "it was forgotten since it was listed");
}
