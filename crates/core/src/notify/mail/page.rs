//! What a message says, as text and as HTML.

use std::fmt::{Display, Write};

use crate::notify::announcement::Announcement;
use crate::report::markup::Markup;

/// For programs that show no HTML.
pub(super) fn text(announcement: &Announcement) -> String {
    let Announcement { study, what, sentence, rows, run, .. } = announcement;
    let mut text = format!("{study}: {}\n\n{sentence}\n\n", what.words());
    let longest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        let _ = writeln!(text, "{name:longest$}  {value}");
    }
    for (heading, lines) in &announcement.lists {
        let _ = writeln!(text, "\n{heading}:");
        for line in lines {
            let _ = writeln!(text, "- {line}");
        }
    }
    let _ = write!(text, "\n{}: {run}\n", what.folder_words());
    text
}

/// The same with colours and, if its `Content-ID` is given, a picture. All looks are in attributes, as mail
/// programs ignore style sheets.
pub(super) fn html(announcement: &Announcement, picture: Option<&str>) -> String {
    let Announcement { study, what, sentence, rows, run, .. } = announcement;
    let colour = if what.is_good() { "#1a7f37" } else { "#c0262d" };
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n");
    page.element("html", &[("lang", &"en")], |html| {
        html.element("head", &[], |head| {
            head.raw("<meta charset=\"utf-8\">\n");
            head.leaf("title", &[], announcement.title());
        });
        let looks = "margin:16px;font:15px/1.5 system-ui,sans-serif;color:#1c2126;background:#fff";
        html.element("body", &[("style", &looks)], |body| {
            body.element("h2", &[("style", &"margin:0 0 8px")], |heading| {
                heading.text(format!("{study}: "));
                let badge = format!("color:{colour}");
                heading.leaf("span", &[("style", &badge)], what.words());
            });
            body.leaf("p", &[], sentence);
            let show = |paragraph: &mut Markup, picture| {
                let source = format!("cid:{picture}");
                let attributes: [(&str, &dyn Display); 4] = [
                    ("src", &source),
                    ("width", &600),
                    ("style", &"max-width:100%;height:auto"),
                    ("alt", &"validation accuracy over the epochs of all trials"),
                ];
                paragraph.element("img", &attributes, |_| {});
            };
            if let Some(picture) = picture {
                body.element("p", &[], |paragraph| show(paragraph, picture));
            }
            body.element("table", &[("style", &"border-collapse:collapse")], |table| {
                for (name, value) in rows {
                    table.element("tr", &[], |row| {
                        let looks = "padding:2px 16px 2px 0;color:#5b6570";
                        row.leaf("td", &[("style", &looks)], name);
                        row.leaf("td", &[], value);
                    });
                }
            });
            for (heading, lines) in &announcement.lists {
                body.leaf("h3", &[("style", &"margin:16px 0 4px")], heading);
                body.element("ul", &[("style", &"margin:0;padding-left:20px")], |list| {
                    for line in lines {
                        list.leaf("li", &[], line);
                    }
                });
            }
            body.element("p", &[("style", &"color:#5b6570")], |paragraph| {
                paragraph.text(format!("{}: ", what.folder_words()));
                paragraph.leaf("code", &[], run);
            });
        });
    });
    // HTML's only element without an end here.
    page.finish().replace("></img>", ">")
}
