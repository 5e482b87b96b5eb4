//! Forms, and elements that do something when they are followed.

use std::cell::Cell;

use super::super::{Form, Role, found::Found};
use super::Element;

/// The verbs of htmx that change something.
pub(super) const ACTING: [&str; 4] = ["post", "put", "patch", "delete"];

/// What a form's action, or a button's, is for.
pub(super) fn role(element: &Element<'_, '_>, attribute: &str) -> Role {
    let method = match attribute {
        "formaction" => "formmethod",
        _ => "method",
    };
    Role::Form {
        post: element.keyword(method).as_deref() == Some("post"),
    }
}

/// Keeps the forms: begins one at its tag, and sees the fields for passwords in it.
pub(in crate::scan) fn controls(
    element: &Element<'_, '_>,
    open: &Cell<Option<usize>>,
    found: &mut Found,
) {
    let method = element.keyword("method").unwrap_or_default();
    let form = open.get();
    match element.name.as_str() {
        // A dialog closes without a request (HTML standard, 4.10.22.3).
        "form" if method == "dialog" => open.set(None),
        "form" => {
            open.set(Some(found.forms.len()));
            found.forms.push(Form {
                action: url_of(element, "action", found),
                insert_at: element.text.span(element.name_end..element.name_end).start,
                written_in: element.text.layers(),
                post: method == "post",
                password: false,
                line: 0,
            });
        }
        "input" | "button" => {
            if let Some(form) = form.and_then(|index| found.forms.get_mut(index)) {
                form.password |= element.keyword("type").as_deref() == Some("password");
                let post = form.post;
                inherit(element, post, found);
            }
        }
        _ => {}
    }
}

/// A button without a method of its own has its form's.
fn inherit(button: &Element<'_, '_>, form_posts: bool, found: &mut Found) {
    if button.has("formmethod") {
        return;
    }
    if let Some(index) = url_of(button, "formaction", found) {
        found.references[index].role = Role::Form { post: form_posts };
    }
}

/// The index of the attribute's URL, which was found just now.
fn url_of(element: &Element<'_, '_>, attribute: &str, found: &Found) -> Option<usize> {
    let value = element.value(attribute)?;
    let span = value.span(0..value.text.len());
    let newest = found.references.iter().enumerate().rev();
    newest
        .take_while(|(_, reference)| reference.span.start >= span.start)
        .find(|(_, reference)| {
            matches!(reference.role, Role::Form { .. }) && reference.span.end <= span.end
        })
        .map(|(index, _)| index)
}

/// Whether following the element does something: Rails, Turbo, jQuery UJS, Laravel, htmx.
pub(super) fn acts(element: &Element<'_, '_>) -> bool {
    let method = |name| {
        let method = element.keyword(name);
        method.is_some_and(|method| !matches!(method.as_str(), "" | "get"))
    };
    method("data-method")
        || method("data-turbo-method")
        || element.has("data-confirm")
        || element.has("data-turbo-confirm")
        || ACTING.iter().any(|verb| {
            element.has(&format!("hx-{verb}")) || element.has(&format!("data-hx-{verb}"))
        })
}

/// Whether an attribute is one of htmx for one of these verbs.
pub(super) fn is_htmx(attribute: &str, verbs: &[&str]) -> bool {
    let verb = attribute.strip_prefix("data-").unwrap_or(attribute);
    verb.strip_prefix("hx-")
        .is_some_and(|verb| verbs.contains(&verb))
}
