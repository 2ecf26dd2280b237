//! The identity file: the key that others pin, made once and never again.
//!
//! `identity.pem` holds an ECDSA P-256 key (PKCS#8) and its self-signed certificate, in one file so that they cannot
//! come apart. It is written whole under another name, then given its own without replacing anything, so a crash at
//! any moment leaves none or a whole one, and two programs that start at once end with the same one. A copy lies in
//! `backup/`.
//!
//! The fingerprint is of the key alone. Names, dates and the serial number in the certificate mean nothing.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use pem::Pem;
use pf_base::{Fingerprint, Identity, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    date_time_ymd,
};
use webpki::EndEntityCert;
use zeroize::Zeroizing;

use crate::{
    DataDir, IdentityFault, Restored, StoreError,
    private_file::{self, publish, remove, rename},
};

/// The identity of this install; made at first start.
///
/// Where there is a store but no identity, one was lost: a new one would be a stranger to every paired device, so none
/// is made. No store is made before there is an identity.
pub fn load_or_create(dir: &DataDir) -> Result<Identity, StoreError> {
    let _setup = dir.setup_lock()?;
    load_or_create_alone(dir)
}

/// The same, for a caller that holds the setup lock.
pub(crate) fn load_or_create_alone(dir: &DataDir) -> Result<Identity, StoreError> {
    let path = dir.file(FILE);
    remove(&path.with_extension(HALF_MADE))?;
    let identity = match load(&path) {
        Ok(Some(identity)) => identity,
        Ok(None) => match witness(dir)? {
            None => create(&path)?,
            Some(witness) => {
                let copy = usable_copy(dir).is_some();
                return Err(StoreError::IdentityMissing { path, witness, copy });
            }
        },
        Err(StoreError::IdentityBroken { path, fault, .. }) => {
            return Err(StoreError::IdentityBroken { path, fault, copy: usable_copy(dir).is_some() });
        }
        Err(e) => return Err(e),
    };
    keep_copy(dir, &path, &identity)?;
    Ok(identity)
}

/// Puts the kept copy of the identity back where the file is missing or broken, and sets what is broken aside.
///
/// An identity that can be used is left alone: `None`.
pub fn restore(dir: &DataDir, now: Timestamp) -> Result<Option<Restored>, StoreError> {
    let _setup = dir.setup_lock()?;
    let path = dir.file(FILE);
    match load(&path) {
        Ok(Some(_)) => return Ok(None),
        Ok(None) if witness(dir)?.is_none() => return Ok(None),
        Ok(None) | Err(StoreError::IdentityBroken { .. }) => {}
        Err(e) => return Err(e),
    }
    let (copy, from) = usable_copy(dir).ok_or_else(|| StoreError::NoCopy { path: dir.backup_path() })?;
    let new = path.with_extension(HALF_MADE);
    remove(&new)?;
    private_file::copy(&copy, &new)?;
    let mut set_aside = Vec::new();
    if path.exists() {
        let aside = dir.file(&format!("{FILE}.broken-{}", now.as_millis()));
        rename(&path, &aside)?;
        set_aside.push(aside);
    }
    publish(&new, &path)?;
    Ok(Some(Restored { from, set_aside }))
}

/// Makes an identity and its file, in a place where there is none.
fn create(path: &Path) -> Result<Identity, StoreError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "punktfunk");
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    let certificate = params.self_signed(&key)?.der().to_vec();

    let der = Zeroizing::new(key.serialize_der());
    let sections = [Pem::new(KEY_TAG, der.as_slice()), Pem::new(CERTIFICATE_TAG, certificate.as_slice())];
    let text = Zeroizing::new(pem::encode_many(&sections));
    let new = path.with_extension(HALF_MADE);
    remove(&new)?;
    private_file::write(&new, text.as_bytes())?;
    publish(&new, path)?;
    let fingerprint = Fingerprint::of_spki(&key.subject_public_key_info());
    Ok(Identity::new(certificate, der, fingerprint))
}

/// The identity in a file; `None` where there is no file.
fn load(path: &Path) -> Result<Option<Identity>, StoreError> {
    let Some(file) = private_file::open(path)? else { return Ok(None) };
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    file.take(MAX_BYTES as u64).read_to_end(&mut text).map_err(StoreError::io("read", path))?;
    let broken = |fault| StoreError::IdentityBroken { path: path.to_owned(), fault, copy: false };
    parse(&text).map(Some).map_err(broken)
}

fn parse(text: &[u8]) -> Result<Identity, IdentityFault> {
    let sections = pem::parse_many(text).map_err(|_| IdentityFault::Incomplete)?;
    let [key, certificate] = <[Pem; 2]>::try_from(sections).map_err(|_| IdentityFault::Incomplete)?;
    if key.tag() != KEY_TAG || certificate.tag() != CERTIFICATE_TAG {
        return Err(IdentityFault::Incomplete);
    }
    let key = Zeroizing::new(key.into_contents());
    let certificate = certificate.into_contents();

    let pair = KeyPair::try_from(key.as_slice()).map_err(|_| IdentityFault::Key)?;
    if pair.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return Err(IdentityFault::Algorithm);
    }
    let spki = pair.subject_public_key_info();
    let of_certificate = EndEntityCert::try_from(&certificate.as_slice().into())
        .map_err(|_| IdentityFault::Certificate)?
        .subject_public_key_info()
        .to_vec();
    if of_certificate != spki {
        return Err(IdentityFault::Mismatch);
    }
    Ok(Identity::new(certificate, key, Fingerprint::of_spki(&spki)))
}

/// What says that there once was an identity here.
fn witness(dir: &DataDir) -> Result<Option<PathBuf>, StoreError> {
    let stores = ["host.sqlite", "client.sqlite", "console.sqlite"].map(|name| dir.file(name));
    let store = stores.into_iter().find(|path| path.exists());
    if store.is_some() { Ok(store) } else { dir.any_copy("") }
}

/// Makes the copy be of this identity.
fn keep_copy(dir: &DataDir, path: &Path, identity: &Identity) -> Result<(), StoreError> {
    let copy = dir.backup()?.join(FILE);
    match load(&copy) {
        Ok(Some(kept)) if kept.fingerprint() == identity.fingerprint() => return Ok(()),
        Ok(_) | Err(StoreError::IdentityBroken { .. }) => {}
        Err(e) => return Err(e),
    }
    let new = copy.with_extension(HALF_MADE);
    remove(&new)?;
    private_file::copy(path, &new)?;
    rename(&new, &copy)
}

/// The copy and when it was made, where it can be used.
fn usable_copy(dir: &DataDir) -> Option<(PathBuf, Timestamp)> {
    let copy = dir.backup_path().join(FILE);
    load(&copy).ok()??;
    let modified = fs::metadata(&copy).and_then(|m| m.modified()).ok()?;
    let millis = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Some((copy, Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))))
}

const FILE: &str = "identity.pem";
/// The ending of a file that is still being written.
const HALF_MADE: &str = "pem.new";
const KEY_TAG: &str = "PRIVATE KEY";
const CERTIFICATE_TAG: &str = "CERTIFICATE";

/// Far more than a key and a certificate take; what is longer is something else.
const MAX_BYTES: usize = 64 * 1024;
