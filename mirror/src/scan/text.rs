//! Text that was decoded from a body, layer by layer, and the way back to the body's bytes.
//!
//! Each scanner reads plain text and says where in it a URL stands; what lies between that text and
//! the bytes (a charset, the references of an attribute, another document around it) is known here.

use std::borrow::Cow;
use std::ops::Range;

use super::{Layer, references};

/// Decoded text, with its place in the text or the bytes that it was decoded from.
#[derive(Debug)]
pub(super) struct Text<'t> {
    pub text: Cow<'t, str>,
    pieces: Pieces,
    /// Where it begins in `under`, or in the body.
    start: usize,
    under: Option<&'t Text<'t>>,
    layer: Option<Layer>,
}

/// How positions of a decoded text lead back to its source.
#[derive(Debug, Default, Clone)]
pub(super) enum Pieces {
    /// Both are the same.
    #[default]
    Same,
    /// Sorted by `at`; the last one stands at the end of both.
    Differ(Vec<Piece>),
}

/// A part of a decoded text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Where it begins in the decoded text.
    pub at: usize,
    /// Where it begins in the source.
    pub from: usize,
    /// Whether its source is the same text; else it is a unit: a reference, or a character of
    /// another charset.
    pub same: bool,
}

impl<'t> Text<'t> {
    /// Takes what `pieces` lead back from to the body, which begins at `start` (behind a byte order
    /// mark).
    pub fn of_body(text: Cow<'t, str>, pieces: Pieces, start: usize) -> Self {
        Self {
            text,
            pieces,
            start,
            under: None,
            layer: None,
        }
    }

    /// A part that is read as it stands.
    pub fn part(&'t self, range: Range<usize>, layer: Option<Layer>) -> Self {
        Self {
            text: Cow::Borrowed(self.slice(range.clone())),
            pieces: Pieces::Same,
            start: range.start,
            under: Some(self),
            layer,
        }
    }

    /// A value of an attribute of HTML in these quotes.
    pub fn html_attribute(&'t self, range: Range<usize>, quote: Option<char>) -> Self {
        let (text, pieces) = references::of_html_attribute(self.slice(range.clone()));
        self.decoded(range, text, pieces, Layer::HtmlAttribute(quote))
    }

    /// A value of an attribute of XML in these quotes.
    pub fn xml_attribute(&'t self, range: Range<usize>, quote: char) -> Self {
        let (text, pieces) = references::of_xml(self.slice(range.clone()));
        self.decoded(range, text, pieces, Layer::HtmlAttribute(Some(quote)))
    }

    /// Text of XML between tags.
    pub fn xml_text(&'t self, range: Range<usize>) -> Self {
        let (text, pieces) = references::of_xml(self.slice(range.clone()));
        self.decoded(range, text, pieces, Layer::XmlText)
    }

    /// A value of an instruction of XML in these quotes.
    pub fn xml_instruction(&'t self, range: Range<usize>, quote: char) -> Self {
        let (text, pieces) = references::of_xml(self.slice(range.clone()));
        self.decoded(range, text, pieces, Layer::XmlInstruction(quote))
    }

    fn decoded(
        &'t self,
        range: Range<usize>,
        text: Cow<'t, str>,
        pieces: Pieces,
        layer: Layer,
    ) -> Self {
        Self {
            text,
            pieces,
            start: range.start,
            under: Some(self),
            layer: Some(layer),
        }
    }

    /// The text of a range; empty where the range is none of it.
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// The bytes of the body that a range of this text was decoded from.
    pub fn span(&self, range: Range<usize>) -> Range<usize> {
        let start = self.start + self.pieces.source_of(range.start, false);
        let end = self.start + self.pieces.source_of(range.end, true);
        match self.under {
            Some(under) => under.span(start..end.max(start)),
            None => start..end.max(start),
        }
    }

    /// The layers around this text, the innermost first.
    pub fn layers(&self) -> Vec<Layer> {
        let mut layers = Vec::new();
        let mut text = Some(self);
        while let Some(at) = text {
            layers.extend(at.layer);
            text = at.under;
        }
        layers
    }
}

impl Pieces {
    /// Where a position of the decoded text stands in its source. One within a unit is the unit's
    /// beginning, or, as the end of a range, its end.
    fn source_of(&self, position: usize, is_end: bool) -> usize {
        let Self::Differ(pieces) = self else {
            return position;
        };
        let behind = pieces.partition_point(|piece| piece.at <= position);
        let Some(piece) = behind.checked_sub(1).and_then(|index| pieces.get(index)) else {
            return position;
        };
        match pieces.get(behind) {
            _ if piece.same || piece.at == position => piece.from + (position - piece.at),
            Some(next) if is_end => next.from,
            _ => piece.from,
        }
    }

    /// Adds a piece behind the others; neighbours that are both the same text become one.
    pub fn push(pieces: &mut Vec<Piece>, piece: Piece) {
        let joins = pieces.last().is_some_and(|last| {
            last.same && piece.same && piece.at - last.at == piece.from - last.from
        });
        if !joins {
            pieces.push(piece);
        }
    }
}
