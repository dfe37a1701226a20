//! Where keys come from, and what a reload changes.

use std::fs;

use super::source::KEY;
use super::*;

#[test]
fn a_server_s_own_key_is_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let source = TlsSource::Directory(directory.path().to_owned());
    assert!(matches!(fingerprint_at(&source), Err(TlsError::NotYet { .. })));
    let made = ServerTls::open(source.clone()).unwrap().fingerprint().unwrap();
    assert_eq!(ServerTls::open(source.clone()).unwrap().fingerprint().unwrap(), made);
    assert_eq!(fingerprint_at(&source).unwrap(), made);
    assert!(fs::read_dir(directory.path()).unwrap().count() == 2, "nothing else is left there");

    fs::remove_file(directory.path().join(CERTIFICATE)).unwrap();
    assert_eq!(ServerTls::open(source).unwrap().fingerprint().unwrap(), made, "the key counts");
}

#[test]
fn a_reload_makes_nothing_and_keeps_what_was_there_when_it_fails() {
    let directory = tempfile::tempdir().unwrap();
    let tls = ServerTls::open(TlsSource::Directory(directory.path().to_owned())).unwrap();
    let made = tls.fingerprint().unwrap();
    for file in [CERTIFICATE, KEY] {
        let path = directory.path().join(file);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Own { .. })), "{file} is missing");
        assert!(!path.exists());
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Own { .. })), "{file} is cut off");
        assert_eq!(tls.fingerprint().unwrap(), made);
        fs::write(&path, whole).unwrap();
    }
    tls.reload().unwrap();

    let memory = ServerTls::open(TlsSource::Memory).unwrap();
    let before = memory.fingerprint().unwrap();
    memory.reload().unwrap();
    assert_eq!(memory.fingerprint().unwrap(), before, "there is nothing to read again");
}
