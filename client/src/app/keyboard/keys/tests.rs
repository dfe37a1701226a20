use super::*;

/// What comes of bytes that are read at once.
fn typed(bytes: &[u8]) -> Vec<Typing> {
    Keys::default().feed(bytes)
}

fn keys(bytes: &[u8]) -> Vec<Typing> {
    if bytes.is_empty() { Vec::new() } else { vec![Typing::Keys(bytes.to_vec())] }
}

/// The same, after the longest pause.
fn in_the_end(bytes: &[u8]) -> Vec<u8> {
    let mut state = Keys::default();
    let mut typed = state.feed(bytes);
    typed.extend(state.expire());
    let all = typed.into_iter().map(|typing| match typing {
        Typing::Keys(bytes) => bytes,
        Typing::Suspend => b"<suspend>".to_vec(),
    });
    all.collect::<Vec<_>>().concat()
}

const INTERRUPT: &[u8] = b"\xf4\x8f\xbf\xbc\x03";

#[test]
fn letters_and_known_keys_pass_as_they_are() {
    for bytes in [
        &b"public General hi\r"[..],
        "می\u{200C}خواهم 字 👩\u{200D}🚀 e\u{301}".as_bytes(),
        b"\x01\x02\x04\x05\x06\x08\x0b\x0c\x0e\x10\x14\x15\x17\x19\x1f\x7f\t",
        b"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F\x1b[Z\x1bOA\x1bOP\x1bOM",
        b"\x1b[3~\x1b[1;5D\x1b[1;3C\x1b[3;5~\x1b[15~\x1b[15;5~\x1b[[A\x1b[7$",
        b"\x1bb\x1bf\x1bd\x1bc\x1bu\x1bl\x1bt\x1by\x1b<\x1b>\x1b\x7f",
    ] {
        assert_eq!(typed(bytes), keys(bytes), "{}", bytes.escape_ascii());
        // And when each byte comes by itself.
        let mut state = Keys::default();
        let one_by_one: Vec<_> = bytes.iter().flat_map(|byte| state.feed(&[*byte])).collect();
        let joined: Vec<u8> = one_by_one
            .into_iter()
            .flat_map(|typing| match typing {
                Typing::Keys(bytes) => bytes,
                Typing::Suspend => Vec::new(),
            })
            .collect();
        assert_eq!(joined, bytes, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_byte_that_is_not_utf_8_is_replaced_and_the_line_goes_on() {
    let replaced = |text: &str| keys(text.as_bytes());
    assert_eq!(typed(b"caf\xe9 go on"), replaced("caf\u{FFFD} go on"));
    assert_eq!(typed(b"\xff\xfe"), replaced("\u{FFFD}\u{FFFD}"));
    assert_eq!(typed(b"\x80a"), replaced("\u{FFFD}a"));
    assert_eq!(typed(b"\xf0\x9f\xa6x"), replaced("\u{FFFD}x"));
    assert_eq!(typed(b"\xe2\x82\xc3\xa9"), replaced("\u{FFFD}é"));
    assert_eq!(typed(b"\xed\xa0\x80"), replaced("\u{FFFD}\u{FFFD}\u{FFFD}"), "a surrogate");
    assert_eq!(in_the_end(b"half \xf0\x9f"), "half \u{FFFD}".as_bytes());
}

#[test]
fn keys_after_which_the_line_editor_would_wait_do_not_reach_it() {
    for bytes in [
        &b"\x18"[..], // Ctrl-X
        b"\x16",      // Ctrl-V
        b"\x1d",      // Ctrl-]
        b"\x1b5",     // Alt-5
        b"\x1b-",     // Alt--
        b"\x00",
        b"\x1b[",
        b"\x1b[1;",
        b"\x1bO",
        b"\x1b]",
        b"\x1b\x1d",
        b"\x1b\r",           // Alt-Enter
        "\u{9b}".as_bytes(), // CSI in C1
    ] {
        let ended = in_the_end(&[b"a", bytes].concat());
        assert_eq!(ended, b"a", "{}", bytes.escape_ascii());
    }
}

#[test]
fn esc_alone_leaves_a_search_and_waits_half_a_second_to_be_alone() {
    let mut state = Keys::default();
    assert_eq!(state.patience(), None);
    assert_eq!(state.feed(b"\x1b"), []);
    assert_eq!(state.patience(), Some(BEGUN_PATIENCE));
    assert_eq!(state.expire(), keys(b"\x07"));
    assert_eq!(state.patience(), None);
    assert_eq!(typed("\u{1b}é".as_bytes()), keys("\u{7}é".as_bytes()));
    assert_eq!(typed(b"\x1b\x1b[A"), keys(b"\x07\x1b[A"));
}

#[test]
fn what_terminals_say_unasked_is_dropped_whole() {
    for bytes in [
        &b"\x1b[<0;10;10M"[..], // the mouse
        b"\x1b[<0;10;10m",
        b"\x1b[M !!",   // the mouse, as it was
        b"\x1b[I",      // the window has the focus
        b"\x1b[12;40R", // where the cursor is
        b"\x1b[?1;2c",  // what the terminal is
        b"\x1b[97;7u",  // a key of kitty's
        b"\x1b[27;5;9~",
        b"\x1b[?2004;1$y",
        b"\x1b]11;rgb:0000/0000/0000\x07",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1bP>|XTerm(379)\x1b\\",
        b"\x1b[201~", // the end of a paste that is over
    ] {
        assert_eq!(typed(&[b"a", bytes, b"b"].concat()), keys(b"ab"), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_paste_is_passed_on_whole() {
    let mut state = Keys::default();
    assert_eq!(state.feed(b"a\x1b[200~one\rtw"), keys(b"a"));
    assert_eq!(state.feed(b"o\r\nthree\tx\x1b[20"), []);
    assert_eq!(state.feed(b"1~b"), keys(b"\x1b[200~one\ntwo\nthree\tx\x1b[201~b"));
}

#[test]
fn nothing_of_a_paste_is_a_key() {
    let pasted = |text: &[u8]| typed(&[PASTE_START, text, PASTE_END].concat());
    let shown = |text: &str| keys(&[PASTE_START, text.as_bytes(), PASTE_END].concat());
    assert_eq!(pasted(b"caf\xe9\rrm -r x\r"), shown("caf\u{FFFD}\nrm -r x\n"));
    assert_eq!(pasted(b"\x03exit\r"), shown("\u{FFFD}exit\n"));
    assert_eq!(pasted(b"\x1a\x04"), shown("\u{FFFD}\u{FFFD}"));
    assert_eq!(pasted(b"\x1b[31mred\x07\x08"), shown("\u{FFFD}[31mred\u{FFFD}\u{FFFD}"));
    assert_eq!(pasted("\u{9b}31m\u{202e}".as_bytes()), shown("\u{FFFD}31m\u{FFFD}"));
    assert_eq!(pasted("\u{10FFFD}\u{10FFFC}".as_bytes()), shown("\u{FFFD}\u{FFFD}"));
    assert_eq!(pasted("می\u{200C}خواهم".as_bytes()), shown("می\u{200C}خواهم"));
}

#[test]
fn a_paste_without_its_end_ends_with_a_pause_and_a_late_end_does_no_harm() {
    let mut state = Keys::default();
    assert_eq!(state.feed(b"\x1b[200~half"), []);
    assert_eq!(state.patience(), Some(PASTE_PATIENCE));
    // All that may be a part of the end is there, too.
    assert_eq!(state.expire(), keys(b"\x1b[200~half\x1b[201~"));
    assert_eq!(state.feed(b"x\x1b[201~y"), keys(b"xy"));
}

#[test]
fn what_comes_late_of_a_paste_is_no_key_either() {
    let stalled = || {
        let mut state = Keys::default();
        state.feed(b"\x1b[200~one");
        state.expire();
        state
    };
    let mut state = stalled();
    assert_eq!(state.feed(b"two\rexit\r"), []);
    assert_eq!(state.feed(b"three\x1b[201~\r"), keys(b"\x1b[200~two\nexit\nthree\x1b[201~\r"));
    assert_eq!(state.feed(b"users\r"), keys(b"users\r"), "its end has come");
    // Several pauses, and no end.
    let mut state = stalled();
    for _ in 0..2 {
        assert_eq!(state.feed(b"\rexit\r"), []);
        assert_eq!(state.expire(), keys(b"\x1b[200~\nexit\n\x1b[201~"));
    }
    // One who types goes on, and Ctrl-C puts an end to the doubt.
    assert_eq!(state.feed(b"a"), keys(b"a"));
    assert_eq!(state.feed(b"\r"), keys(b"\r"));
    state.feed(b"\x03");
    assert_eq!(state.feed(b"users\r"), keys(b"users\r"));
}

#[test]
fn control_c_ends_a_paste_and_throws_it_away() {
    let mut state = Keys::default();
    state.feed(b"\x1b[200~half");
    assert_eq!(state.feed(b"\x03"), []);
    assert_eq!(state.patience(), Some(INTERRUPT_PATIENCE));
    assert_eq!(state.expire(), keys(INTERRUPT));
    // One that is a part of the paste does not.
    state.feed(b"\x1b[200~half");
    state.feed(b"\x03");
    assert_eq!(
        state.feed(b"more\x1b[201~"),
        keys("\u{1b}[200~half\u{FFFD}more\u{1b}[201~".as_bytes())
    );
}

#[test]
fn a_paste_that_is_too_long_is_cut_off_and_its_rest_is_typed_nowhere() {
    let mut state = Keys::default();
    state.feed(PASTE_START);
    state.feed(&vec![b'x'; PASTE_BYTES_MAX + 100]);
    state.feed(b"\rexit\r");
    let pasted = state.feed(PASTE_END);
    assert_eq!(pasted, keys(&[PASTE_START, &vec![b'x'; PASTE_BYTES_MAX], PASTE_END].concat()));
}

#[test]
fn control_c_and_control_z_are_more_than_keys() {
    assert_eq!(typed(b"a\x03"), keys(&[b"a", INTERRUPT].concat()));
    let expected = [keys(b"a"), vec![Typing::Suspend], keys(b"b")].concat();
    assert_eq!(typed(b"a\x1ab"), expected);
    assert_eq!(typed(b"\x1b\x03"), keys(&[b"\x07", INTERRUPT].concat()));
}

#[test]
fn nobody_can_type_what_wakes_the_line_editor() {
    assert_eq!(typed("\u{10FFFD}\u{10FFFC}".as_bytes()), keys("\u{FFFD}\u{FFFD}".as_bytes()));
}

#[test]
fn a_search_is_known_with_its_keys_until_it_is_over() {
    let mut state = Keys::default();
    state.feed(b"draft\x12rem\x7f\x12");
    assert_eq!(state.patience(), Some(SEARCH_PATIENCE));
    assert_eq!(state.search(), Some((&b"\x07"[..], &b"\x12rem\x7f\x12"[..])));
    assert_eq!(state.expire(), [], "it stays open");
    for end in [&b"\r"[..], b"\x07", b"\x1b[C", b"\x03", b"\x1b[200~x\x1b[201~"] {
        let mut state = Keys::default();
        state.feed(b"\x12rem");
        assert!(state.search().is_some());
        state.feed(end);
        assert_eq!(state.search(), None, "{}", end.escape_ascii());
    }
}
