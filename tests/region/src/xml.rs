//! Just enough XML writing for the answers of AWS' XML services.

use quick_xml::escape::escape;

/// A document in the making. Elements close themselves: each takes its content as a closure.
pub(crate) struct Xml(String);

impl Xml {
    /// A whole document with one root element.
    pub(crate) fn document(root: &str, namespace: &str, content: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{namespace}\">"
        ));
        content(&mut xml);
        xml.0.push_str(&format!("</{root}>"));
        xml.0
    }

    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Xml)) {
        self.0.push_str(&format!("<{name}>"));
        content(self);
        self.0.push_str(&format!("</{name}>"));
    }

    pub(crate) fn text(&mut self, name: &str, text: impl ToString) {
        let text = text.to_string();
        self.element(name, |xml| xml.0.push_str(&escape(text.as_str())));
    }

    /// Nothing at all where there is no text.
    pub(crate) fn maybe(&mut self, name: &str, text: Option<impl ToString>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_what_is_absent_is_left_out() {
        let xml = Xml::document("A", "urn:x", |xml| {
            xml.text("B", "1 < 2");
            xml.maybe("C", None::<&str>);
        });
        assert_eq!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A xmlns=\"urn:x\"><B>1 &lt; 2</B></A>"
        );
    }
}
