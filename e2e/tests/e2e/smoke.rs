//! The shortest walks that everything else here builds upon.

use pf_e2e::{ClientInstall, Host};

/// Pairing that needs anything but the two programs and a PIN, or a picture that never comes.
#[test]
fn r4_the_right_pin_pairs_and_pictures_come() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    let paired = couch.run(&["pair", &host.address(), "--pin", &host.pin()]).expect_success();
    assert_eq!(paired["fingerprint"], host.fingerprint());
    assert_eq!(paired["name"], "desk");

    couch.expect_pictures(&host.address());
    let devices = host.devices();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["fingerprint"], couch.fingerprint());
    assert_eq!(devices[0]["label"], "couch");
    assert_eq!(devices[0]["paired_by"], "pin");
}
