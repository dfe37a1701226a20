//! Where the server is, in the ways in which people write it.

/// A host, and the port that may stand behind it: `chat.example`, `localhost:9000`, `::1`, `[::1]`,
/// `[::1]:9000`.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inside) => match inside.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, behind)) => (host, Some(behind.strip_prefix(':').unwrap_or(behind))),
            None => return Err(format!("'{text}' is no address: its bracket is not closed")),
        },
        None if text.matches(':').count() == 1 => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
        None => (text, None),
    };
    if text.starts_with('[') && !host.contains(':') || host.contains(':') && !may_be_ipv6(host) {
        return Err(format!(
            "'{text}' is no address: write HOST PORT, HOST:PORT, or [IPv6 address]:PORT"
        ));
    }
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(format!("'{text}' has no host in it: it is a name, or an address"));
    }
    Ok((host, port))
}

/// Whether it has the characters of an address, before the network card that it may name.
fn may_be_ipv6(host: &str) -> bool {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    address.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.')
}

/// A port.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        Ok(0) | Err(_) => Err(format!("'{text}' is no port: a port is a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_written_in_many_ways() {
        for (text, host, port) in [
            ("127.0.0.1", "127.0.0.1", None),
            ("chat.example", "chat.example", None),
            ("localhost:9000", "localhost", Some("9000")),
            ("10.0.0.1:7", "10.0.0.1", Some("7")),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:9000", "::1", Some("9000")),
            ("fe80::1%eth0", "fe80::1%eth0", None),
            ("[fe80::1%eth0]:9000", "fe80::1%eth0", Some("9000")),
            ("localhost:", "localhost", Some("")),
        ] {
            assert_eq!(split(text), Ok((host, port)), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_said_to_be_none() {
        for text in ["", ":9000", "[::1", "[]", "[localhost]", "x:y:z", "two words", "http://x:1"] {
            let why = split(text).unwrap_err();
            assert!(why.starts_with(&format!("'{text}' ")), "{why}");
        }
        for text in ["70000", "65536", "0", "-1", "", "Jim", "9000x"] {
            assert!(port(text).unwrap_err().contains("from 1 to 65535"), "{text}");
        }
        assert_eq!((port("1"), port("65535")), (Ok(1), Ok(65_535)));
    }
}
