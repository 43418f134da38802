//! The deployment statement, as students and the instructor see it.

use web_sys::Element;

use super::dom;
use super::words::session::DEPLOYMENT_TERMS;
use crate::protocol::Deployment;

/// Shows the statement in the list of facts with this id.
pub fn show(list: &str, statement: &Deployment) {
    let facts: Element = dom::get(list);
    facts.set_text_content(None);
    let values = [&statement.purpose, &statement.jurisdiction, &statement.legal_basis, &statement.contact];
    for (term, value) in DEPLOYMENT_TERMS.iter().zip(values) {
        dom::fact(&facts, term, value);
    }
}
