//! Discovery on a real network: machines in network namespaces, mDNS between them, and what adverts cannot do.
//!
//! An advert is a claim that anyone on the network can make. These tests make false ones, and look at what the client
//! program does, prints and stores.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use mdns_sd::{ServiceDaemon, ServiceInfo};
use pf_base::{DeviceName, Fingerprint, PairPolicy, Pin};
use pf_client::{Client, Connected, Listed, ListedIdentity, Search, Watch, Wishes};
use pf_discovery::{Advertisement, Advertiser, SERVICE_TYPE};
use pf_e2e::{ClientInstall, Host, HostSetup, Lan, Machine, until};
use pf_trust::route;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

/// A host and a client that share a network, and a third machine for whoever does harm.
struct Scene {
    // In this order: processes end before their machines do.
    host: Host,
    client: ClientInstall,
    host_machine: Machine,
    client_machine: Machine,
    elsewhere: Machine,
    _lan: Lan,
}

impl Scene {
    fn new(host: HostSetup) -> Self {
        let lan = Lan::new();
        let [host_machine, client_machine, elsewhere] = [1, 2, 3].map(|last| lan.machine(last));
        let host = host_machine.run(|| host.advertised_as("den").start());
        Self { host, client: ClientInstall::new("couch"), host_machine, client_machine, elsewhere, _lan: lan }
    }

    /// Runs a command of the client program on the client's machine.
    fn run(&self, arguments: &[&str]) -> pf_e2e::Outcome {
        self.client_machine.run(|| self.client.run(arguments))
    }

    fn connect(&self, host: &str, options: &[&str]) -> pf_e2e::Outcome {
        self.run(&[&["connect", host, "--headless", "--frames", "3"], options].concat())
    }

    /// The adverts that the client sees.
    fn discovered(&self) -> Vec<Value> {
        let said = self.run(&["discover", "--seconds", "2"]).expect_success();
        said["hosts"].as_array().unwrap().clone()
    }

    /// Waits until the client sees what it should.
    fn await_advert(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.discovered().into_iter().find(|advert| is_meant(advert)))
    }

    fn pair(&self, host: &str) {
        self.run(&["pair", host, "--pin", &self.host.pin()]).expect_success();
    }

    /// An advert from a third machine for the true host's name and port, with what it likes.
    fn spoof(&self, name: &str, fingerprint: Fingerprint, policy: PairPolicy) -> Advertiser {
        let port = self.host.socket_address().port();
        let advertisement =
            Advertisement { name: DeviceName::sanitise(name), fingerprint, policy, port, bind: None };
        self.elsewhere.run(|| Advertiser::start(&advertisement)).unwrap()
    }

    /// The true host's own advert but for its policy, which leads to the true host: the forger gives it another
    /// instance and another host name, so that the true records stand beside its own.
    fn forge_optional(&self) -> Forged {
        let (fingerprint, port) = (self.host.fingerprint(), self.host.socket_address().port());
        let id = &fingerprint[..16];
        let txt = [("v", "1"), ("id", id), ("fp", fingerprint), ("name", "den"), ("pair", "optional")];
        let address = self.host_machine.address().to_string();
        let service = ServiceInfo::new(SERVICE_TYPE, "den here", "forger.local.", address, port, &txt[..]);
        self.elsewhere.run(|| {
            let daemon = ServiceDaemon::new().unwrap();
            daemon.register(service.unwrap()).unwrap();
            Forged(daemon)
        })
    }
}

/// A forged advert, which stands until this is dropped.
struct Forged(ServiceDaemon);

impl Drop for Forged {
    fn drop(&mut self) {
        // A daemon that cannot be told to stop ends with the process.
        let _ = self.0.shutdown();
    }
}

/// Discover, pair by name, connect by name: what a person does on the first evening, and on the second.
#[test]
fn r1_a_host_is_found_paired_and_connected_by_its_name() {
    let scene = Scene::new(Host::m3());
    let advert = scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    let fingerprint = scene.host.fingerprint();
    assert_eq!(advert["fingerprint"], fingerprint);
    assert_eq!(advert["id"], fingerprint[..16]);
    assert_eq!(advert["pair"], "required");
    let address = format!("{}:{}", scene.host_machine.address(), scene.host.socket_address().port());
    assert_eq!(advert["addresses"][0], address);

    scene.connect("den", &[]).expect_failure(10, "pairing_required");
    scene.pair("den");
    scene.connect("den", &[]).expect_success();
    // The second time nobody is asked anything, and the host needs no advert either.
    scene.connect("den", &[]).expect_success();
    assert_eq!(scene.client.state_of(fingerprint).as_deref(), Some("paired"));
}

/// The one host around, once it is as it should be.
async fn the_one_around(watch: &mut Watch, is_meant: impl Fn(&Listed) -> bool) -> Listed {
    let listed = async {
        loop {
            let around = watch.next().await.unwrap();
            assert_eq!(around.search, Search::On);
            assert!(around.hosts.len() <= 1, "beside the one that it may be: {:?}", around.hosts);
            if let Some(listed) = around.hosts.into_iter().find(&is_meant) {
                return listed;
            }
        }
    };
    timeout(Duration::from_secs(30), listed).await.expect("the list comes to be as it should")
}

/// What a person picks from is late, or an impostor under a name that they gave a host stands beside that host.
#[test]
fn r1_the_hosts_around_are_listed_as_they_come_and_change() {
    let scene = Scene::new(Host::m3());
    let (data_dir, pin) = (scene.client.data_dir(), Pin::parse(&scene.host.pin()).unwrap());
    let key: Fingerprint = scene.host.fingerprint().parse().unwrap();
    let port = scene.host.socket_address().port();
    let impostor = Advertisement {
        name: DeviceName::sanitise("Sofa"),
        fingerprint: Fingerprint::from_bytes([9; 32]),
        policy: PairPolicy::Optional,
        port,
        bind: None,
    };
    let elsewhere = &scene.elsewhere;
    let visit = async {
        let client = Arc::new(Client::open(data_dir, DeviceName::sanitise("couch")).unwrap());
        let mut watch = client.watch();
        assert_eq!(
            watch.next().await.unwrap().hosts,
            [],
            "known hosts are there at once, and there are none"
        );
        let new = the_one_around(&mut watch, |listed| listed.name.as_str() == "den").await;
        assert_eq!((new.state, new.identity), (None, ListedIdentity::Claimed(key)));
        assert_eq!(new.policy, route::Advert::Required);

        let found = client.pick(&new).unwrap();
        let connected = client.connect(&found, Wishes::default()).await.unwrap();
        let Connected::Choice { heard, ask: true, first_use: false } = connected else {
            panic!("{connected:?}")
        };
        assert_eq!(heard.pin.unwrap(), pin.len());
        client.pair(&found, pin).await.unwrap();
        let pinned = the_one_around(&mut watch, Listed::is_pinned).await;
        assert_eq!(pinned.identity, ListedIdentity::Proved(key));
        client.rename(key, &DeviceName::sanitise("Sofa")).unwrap();
        the_one_around(&mut watch, |listed| listed.name.as_str() == "Sofa").await;

        let impostor = elsewhere.run(|| Advertiser::start(&impostor)).unwrap();
        let disputed = the_one_around(&mut watch, |listed| listed.is_disputed).await;
        assert!(disputed.is_advertised && disputed.is_pinned());
        let connected = client.connect(&client.pick(&disputed).unwrap(), Wishes::default()).await.unwrap();
        assert!(matches!(connected, Connected::Session(_)), "{connected:?}");
        the_one_around(&mut watch, |listed| listed.last_used.is_some()).await;
        elsewhere.run(|| drop(impostor));
        the_one_around(&mut watch, |listed| !listed.is_disputed).await;
        client.shutdown().await;
    };
    scene.client_machine.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(visit);
    });
}

/// Any program that browses, not just ours, sees the advert with all of its keys.
#[test]
fn r1_avahi_sees_the_advert_and_its_keys() {
    let scene = Scene::new(Host::m3());
    let avahi = Avahi::start(&scene.client_machine);
    let line = until("the advert in avahi-browse", || {
        let seen = avahi.browse();
        seen.lines().find(|line| line.starts_with('=') && line.contains(";den;")).map(str::to_owned)
    });
    let fingerprint = scene.host.fingerprint();
    let (id, port) = (&fingerprint[..16], scene.host.socket_address().port());
    for part in [
        "\"v=1\"".to_owned(),
        format!("\"id={id}\""),
        format!("\"fp={fingerprint}\""),
        "\"name=den\"".to_owned(),
        "\"pair=required\"".to_owned(),
        format!(";{}", scene.host_machine.address()),
        format!(";{port};"),
    ] {
        assert!(line.contains(&part), "no {part} in {line}");
    }
}

/// A host that must not be advertised is not; it is still there for who knows its address.
#[test]
fn a_host_without_mdns_is_not_seen() {
    // The second host is seen, so what is not seen is not just late.
    let scene = Scene::new(Host::m3());
    let hidden = scene.elsewhere.run(|| Host::m3().advertised_as("cellar").arg("--no-mdns").start());
    scene.await_advert("the host that is advertised", |advert| advert["name"] == "den");
    assert!(scene.discovered().iter().all(|advert| advert["name"] != "cellar"));
    let address = format!("{}:{}", scene.elsewhere.address(), hidden.socket_address().port());
    scene.run(&["pair", &address, "--pin", &hidden.pin()]).expect_success();
}

/// A new lease moves the host. It says so, and a client that has pinned it finds it there.
#[test]
fn a_host_that_moves_is_announced_anew_and_found() {
    let mut scene = Scene::new(Host::m3());
    scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    scene.pair("den");
    scene.host_machine.move_to(9);
    let port = scene.host.socket_address().port();
    scene.await_advert("the new address", |advert| advert["addresses"][0] == format!("10.77.0.9:{port}"));
    scene.connect("den", &[]).expect_success();
}

/// Trust on first use needs the owner's flag, the discovery, and the person's yes: without the last it is refused.
#[test]
fn r6_trust_on_first_use_where_the_owner_and_the_person_chose_it() {
    let scene = Scene::new(Host::m3().arg("--allow-tofu"));
    let advert = scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    assert_eq!(advert["pair"], "optional");
    let fingerprint = scene.host.fingerprint();

    // A host that is typed by hand is never trusted on first use, whatever it advertises.
    let address = format!("{}:{}", scene.host_machine.address(), scene.host.socket_address().port());
    scene.connect(&address, &["--trust-first-use"]).expect_failure(22, "tofu_not_offered");
    assert!(!scene.client.has_pin());

    // Without the person's word nothing happens, and it may still be given afterwards.
    scene.connect("den", &[]).expect_failure(10, "pairing_required");
    assert!(!scene.client.has_pin());
    scene.connect("den", &["--trust-first-use"]).expect_success();
    assert_eq!(scene.client.state_of(fingerprint).as_deref(), Some("first_use"));
    assert!(scene.host.devices().is_empty(), "a guest is not put on the allow-list");
    scene.connect("den", &[]).expect_success();
}

/// A host that was asked for access turns open: a client that takes that for the owner's yes is in, unpinned and unasked.
#[test]
fn r6_an_asked_host_that_lets_anyone_in_has_not_said_yes() {
    let scene = Scene::new(Host::m3().arg("--allow-tofu"));
    scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    let address = format!("{}:{}", scene.host_machine.address(), scene.host.socket_address().port());
    for _ in 0..2 {
        scene.connect(&address, &[]).expect_failure(10, "pairing_required");
    }
    scene.connect("den", &["--trust-first-use"]).expect_failure(10, "pairing_required");
    assert!(!scene.client.has_pin());
}

/// An attacker advertises a required host's name and key as optional, so that a client trusts whoever answers.
#[test]
fn inv_39_a_spoofed_optional_advert_opens_no_required_host() {
    let scene = Scene::new(Host::m3());
    let _forged = scene.forge_optional();
    scene.await_advert("the forged advert", |advert| advert["pair"] == "optional");
    scene.await_advert("the host's own", |advert| advert["pair"] == "required");
    scene.connect("den", &["--trust-first-use"]).expect_failure(22, "tofu_not_offered");
    assert!(!scene.client.has_pin());
}

/// The attacker keeps the host's own advert off the network, so that nothing disagrees with the forged one.
#[test]
fn inv_39_a_spoofed_optional_advert_alone_opens_no_required_host() {
    let scene = Scene::new(Host::m3().arg("--no-mdns"));
    let _forged = scene.forge_optional();
    scene.await_advert("the forged advert", |advert| advert["pair"] == "optional");
    scene.connect("den", &["--trust-first-use"]).expect_failure(22, "tofu_not_offered");
    assert!(!scene.client.has_pin());
}

/// Two adverts for one name disagree: a host that lets anyone in, in the name of one that does not.
#[test]
fn r3_of_two_adverts_that_disagree_the_stricter_counts() {
    let scene = Scene::new(Host::m3().arg("--allow-tofu"));
    let _stricter = scene.spoof("Den", Fingerprint::of_spki(b"another host"), PairPolicy::Required);
    scene.await_advert("the stricter advert", |advert| advert["pair"] == "required");
    scene.await_advert("the host's own", |advert| advert["pair"] == "optional");
    scene.connect("den", &["--trust-first-use"]).expect_failure(22, "tofu_not_offered");
    assert!(!scene.client.has_pin());
}

/// The true host is gone from the network, and another that lets anyone in takes its name: pinned by its key, it is
/// never replaced by what an advert says.
#[test]
fn inv_39_a_pinned_host_is_not_replaced_by_an_open_one_of_its_name() {
    let mut scene = Scene::new(Host::m3());
    scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    scene.pair("den");
    let (true_host, port) = (scene.host.fingerprint().to_owned(), scene.host.socket_address().port());
    scene.host.terminate();

    // On the true host's machine and port, as somebody who took over its address.
    let setup = Host::m3().advertised_as("den").port(port).arg("--allow-tofu");
    let impostor = scene.host_machine.run(|| setup.start());
    scene.await_advert("the impostor's advert", |advert| advert["fingerprint"] == impostor.fingerprint());
    for options in [&[][..], &["--trust-first-use"]] {
        scene.connect("den", options).expect_failure(15, "fingerprint_changed");
    }
    assert_eq!(scene.client.state_of(&true_host).as_deref(), Some("paired"), "the old pin stays");
    assert_eq!(scene.client.state_of(impostor.fingerprint()), None);
}

/// Beside a pinned host stands another of its name that lets anyone in, and the person says yes to everything.
#[test]
fn r3_a_pinned_host_is_reached_silently_whatever_is_advertised() {
    let scene = Scene::new(Host::m3());
    scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    scene.pair("den");
    let other = scene.elsewhere.run(|| Host::m3().advertised_as("den").arg("--allow-tofu").start());
    scene.await_advert("the other's advert", |advert| advert["fingerprint"] == other.fingerprint());
    scene.connect("den", &["--trust-first-use"]).expect_success();
    assert_eq!(scene.client.state_of(scene.host.fingerprint()).as_deref(), Some("paired"));
    assert_eq!(scene.client.state_of(other.fingerprint()), None);
    assert!(!other.events().contains(&"admitted_as_guest".to_owned()), "nobody went to the other");
}

/// Forget, and trust anew: the way around a changed key that *Forget* must not open.
#[test]
fn inv_39_a_host_that_was_once_pinned_is_never_trusted_on_first_use() {
    let scene = Scene::new(Host::m3().arg("--allow-tofu"));
    scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    scene.pair("den");
    scene.run(&["forget", "den"]).expect_success();
    scene.connect("den", &["--trust-first-use"]).expect_failure(10, "pairing_required");
    assert!(!scene.client.has_pin());
}

/// A host was once seen to require pairing; the adverts for its name say optional ever after.
#[test]
fn inv_39_a_host_that_was_seen_to_require_pairing_is_never_trusted_on_first_use() {
    let mut scene = Scene::new(Host::m3());
    scene.await_advert("the host's advert", |advert| advert["name"] == "den");
    // Who is asked for a PIN and types none has heard the host, and left no request.
    assert_ne!(scene.run(&["pair", "den"]).exit, 0);
    assert_eq!(scene.client.state_of(scene.host.fingerprint()).as_deref(), Some("seen"));
    scene.host.terminate();
    // The same key, now open: also an owner who changed their mind is paired by PIN by this client.
    let setup = scene.host.into_setup().arg("--allow-tofu");
    let host = scene.host_machine.run(|| setup.start());
    let scene = Scene { host, ..scene };
    scene.await_advert("the open host's advert", |advert| advert["pair"] == "optional");
    scene.connect("den", &["--trust-first-use"]).expect_failure(22, "tofu_not_offered");
    assert!(!scene.client.has_pin());
}

/// A thousand adverts write nothing: what a client stores comes from handshakes and persons.
#[test]
fn inv_44_no_advert_writes_to_the_trust_store() {
    let scene = Scene::new(Host::m3());
    let before = scene.client.hosts();
    let _spoofs = ["den", "Den", "elsewhere"]
        .map(|name| scene.spoof(name, Fingerprint::of_spki(name.as_bytes()), PairPolicy::Optional));
    scene.await_advert("the forged adverts", |advert| advert["name"] == "elsewhere");
    assert_eq!(scene.client.hosts(), before);
}

/// An avahi-daemon on a machine, with a message bus and files of its own.
struct Avahi<'a> {
    machine: &'a Machine,
    // Ended in this order, and only then their directory.
    _daemon: Ended,
    _bus: Ended,
    directory: TempDir,
}

/// A process that is killed with this, by its process id.
struct Ended(Child);

impl<'a> Avahi<'a> {
    fn start(machine: &'a Machine) -> Self {
        let directory = tempfile::Builder::new().prefix("pf-e2e-avahi-").tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let bus = file(
            "bus.conf",
            &format!(
                "<busconfig><listen>{}</listen><auth>EXTERNAL</auth><policy context='default'><allow user='*'/>\
                 <allow own='*'/><allow send_destination='*'/><allow receive_sender='*'/></policy></busconfig>",
                bus_address(directory.path())
            ),
        );
        let configuration =
            file("avahi.conf", "[server]\nuse-ipv6=no\nenable-dbus=yes\n[publish]\ndisable-publishing=yes\n");
        let start = |command: &mut Command| {
            let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let command = command.env("DBUS_SYSTEM_BUS_ADDRESS", bus_address(directory.path()));
            Ended(machine.run(|| command.spawn()).unwrap_or_else(|error| panic!("{command:?}: {error}")))
        };
        let bus = start(Command::new("dbus-daemon").arg("--nofork").arg("--config-file").arg(bus));
        until("the message bus", || directory.path().join("bus").exists().then_some(()));
        // It keeps its pid file in one place of the machine; here that place is another.
        let daemon = start(
            Command::new("unshare")
                .args(["--mount", "sh", "-c"])
                .arg("mount -t tmpfs tmpfs /run && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f \"$0\"")
                .arg(configuration),
        );
        Self { machine, _daemon: daemon, _bus: bus, directory }
    }

    /// What `avahi-browse` prints; nothing while the daemon is not up.
    fn browse(&self) -> String {
        let mut command = Command::new("avahi-browse");
        command.args(["-rtp", "_punktfunk._udp"]);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", bus_address(self.directory.path()));
        let output = self.machine.run(|| command.output()).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bus_address(directory: &Path) -> String {
    format!("unix:path={}", directory.join("bus").display())
}
