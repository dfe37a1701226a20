//! Characters that show nothing themselves.

const ZWNJ: char = '\u{200C}';
const ZWJ: char = '\u{200D}';

/// Whether a character joins its neighbours, or keeps them apart, and shows nothing itself.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, ZWNJ | ZWJ)
}

/// Whether a character that a name may have in it is drawn as nothing: the joiners, and the marks
/// of the property `Default_Ignorable_Code_Point` (Unicode 16, DerivedCoreProperties.txt). They
/// change the look of their neighbours at most, and of most neighbours not even that.
pub(crate) fn is_drawn_as_nothing(c: char) -> bool {
    is_joiner(c)
        || matches!(c, '\u{034F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180D}' | '\u{180F}')
        || matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}
