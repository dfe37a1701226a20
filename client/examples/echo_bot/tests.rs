use super::*;

fn answer(name: &str, text: &str) -> Option<String> {
    let (name, text) = (UserName::parse(name).unwrap(), Body::parse(text).unwrap());
    meant_for(&name, &text).and_then(quoted).map(|body| body.as_str().to_owned())
}

#[test]
fn it_quotes_what_follows_its_name() {
    assert_eq!(answer("Echo", "Echo, are you there?").as_deref(), Some("> are you there?"));
    assert_eq!(answer("Echo", "are you there?"), None);
    assert_eq!(answer("Echo", "Echo"), None);
}

#[test]
fn what_one_bot_says_no_bot_answers() {
    let said = quoted("hello").unwrap();
    assert_eq!(quoted(said.as_str()), None);
    let said = answer("Echo", "Echo Parrot Echo Parrot").unwrap();
    assert_eq!(answer("Parrot", &said), None);
}
