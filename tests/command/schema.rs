//! Holds XML against the part of XML Schema that `tests/schemas` uses: global elements, sequences
//! and choices of references, attributes of simple types. A schema that uses more is refused, so
//! that nothing in it is passed over.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The elements that a schema allows.
pub struct Schema {
    elements: BTreeMap<String, Element>,
    /// The most decimals of the schema's own number types.
    decimals: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Element {
    attributes: BTreeMap<String, Attribute>,
    children: Vec<Child>,
    children_in_order: bool,
    has_text: bool,
}

struct Attribute {
    kind: String,
    is_required: bool,
}

struct Child {
    name: String,
    is_repeated: bool,
}

impl Schema {
    /// Reads a schema.
    pub fn read(text: &str) -> Self {
        let mut schema = Self { elements: BTreeMap::new(), decimals: BTreeMap::new() };
        let (mut element, mut kind, mut group_is_repeated) = (String::new(), String::new(), false);
        let mut reader = Reader::from_str(text);
        loop {
            let event = reader.read_event().unwrap();
            let (Event::Start(tag) | Event::Empty(tag)) = &event else {
                match event {
                    Event::Eof => return schema,
                    _ => continue,
                }
            };
            let given = attributes(tag);
            let value = |name: &str| given.get(name).cloned();
            let is_repeated = value("maxOccurs").as_deref() == Some("unbounded");
            match tag.local_name().as_ref() {
                b"schema" | b"restriction" => {}
                b"simpleType" => kind = given["name"].clone(),
                b"fractionDigits" => {
                    schema.decimals.insert(kind.clone(), given["value"].parse().unwrap());
                }
                b"element" => match value("ref") {
                    Some(name) => schema
                        .entry(&element)
                        .children
                        .push(Child { name, is_repeated: is_repeated || group_is_repeated }),
                    None => {
                        element = given["name"].clone();
                        let has_text = value("type").as_deref() == Some("xs:string");
                        schema
                            .elements
                            .insert(element.clone(), Element { has_text, ..Element::default() });
                    }
                },
                b"complexType" => {
                    let is_mixed = value("mixed").as_deref() == Some("true");
                    schema.entry(&element).has_text |= is_mixed;
                }
                b"sequence" => {
                    schema.entry(&element).children_in_order = true;
                    group_is_repeated = is_repeated;
                }
                b"choice" => group_is_repeated = is_repeated,
                b"attribute" => {
                    let is_required = value("use").as_deref() == Some("required");
                    let attribute = Attribute { kind: given["type"].clone(), is_required };
                    schema.entry(&element).attributes.insert(given["name"].clone(), attribute);
                }
                other => panic!("the schema uses {}", String::from_utf8_lossy(other)),
            }
        }
    }

    fn entry(&mut self, name: &str) -> &mut Element {
        self.elements.entry(name.to_owned()).or_default()
    }

    /// What is wrong with a document; nothing when it is valid.
    pub fn problems(&self, xml: &str) -> Vec<String> {
        let mut problems = Vec::new();
        // Open elements with the children that they have had.
        let mut open: Vec<(String, Vec<String>)> = Vec::new();
        let mut reader = Reader::from_str(xml);
        loop {
            let event = reader.read_event().unwrap();
            match &event {
                Event::Eof => return problems,
                Event::Start(tag) | Event::Empty(tag) => {
                    let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                    if let Some((_, children)) = open.last_mut() {
                        children.push(name.clone());
                    }
                    self.check_attributes(&name, &attributes(tag), &mut problems);
                    if matches!(event, Event::Start(_)) {
                        open.push((name, Vec::new()));
                    } else {
                        self.check_children(&name, &[], &mut problems);
                    }
                }
                Event::End(_) => {
                    let (name, children) = open.pop().unwrap();
                    self.check_children(&name, &children, &mut problems);
                }
                Event::Text(text) => {
                    let parent = open.last().map(|(name, _)| name);
                    let may_have = parent.and_then(|name| self.elements.get(name));
                    if !may_have.is_some_and(|element| element.has_text)
                        && !text.iter().all(u8::is_ascii_whitespace)
                    {
                        problems.push(format!("text in <{}>", parent.map_or("", |name| name)));
                    }
                }
                _ => {}
            }
        }
    }

    fn check_attributes(
        &self,
        name: &str,
        given: &BTreeMap<String, String>,
        problems: &mut Vec<String>,
    ) {
        let Some(element) = self.elements.get(name) else {
            problems.push(format!("there is no element <{name}>"));
            return;
        };
        for (attribute, value) in given {
            match element.attributes.get(attribute) {
                None => problems.push(format!("<{name}> has no attribute {attribute}")),
                Some(allowed) if !self.fits(&allowed.kind, value) => {
                    problems
                        .push(format!("{attribute}={value:?} of <{name}> is no {}", allowed.kind));
                }
                Some(_) => {}
            }
        }
        let missing = element.attributes.iter().filter(|(_, attribute)| attribute.is_required);
        for (attribute, _) in missing.filter(|(attribute, _)| !given.contains_key(*attribute)) {
            problems.push(format!("<{name}> lacks {attribute}"));
        }
    }

    fn fits(&self, kind: &str, value: &str) -> bool {
        match kind {
            "xs:string" => true,
            "xs:nonNegativeInteger" => value.parse::<u64>().is_ok(),
            own => {
                let most = self.decimals[own];
                let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
                let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                let whole = whole.strip_prefix('-').unwrap_or(whole);
                digits(whole) && digits(decimals) && decimals.len() <= most && !value.is_empty()
            }
        }
    }

    fn check_children(&self, name: &str, found: &[String], problems: &mut Vec<String>) {
        let Some(element) = self.elements.get(name) else { return };
        let mut place = 0;
        for child in found {
            let Some(allowed) = element.children.iter().position(|one| one.name == *child) else {
                problems.push(format!("<{child}> in <{name}>"));
                continue;
            };
            if element.children_in_order && allowed < place {
                problems.push(format!("<{child}> of <{name}> out of order"));
            }
            place = allowed;
        }
        for child in element.children.iter().filter(|child| !child.is_repeated) {
            if found.iter().filter(|one| **one == child.name).count() > 1 {
                problems.push(format!("more than one <{}> in <{name}>", child.name));
            }
        }
    }
}

fn attributes(tag: &BytesStart) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let attributes = tag.attributes().map(|attribute| attribute.unwrap());
    attributes.map(|attribute| (text(attribute.key.as_ref()), text(&attribute.value))).collect()
}
