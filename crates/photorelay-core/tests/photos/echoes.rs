//! Which pictures count as the same, measured on real photographs: the changes that other systems make to a thumbnail
//! on one side, and the smallest changes that a user would make on purpose on the other.

use photorelay_core::photo::{Fingerprint, InvalidFingerprint};

use crate::sources::{Picture, fixture, upright};

const PHOTOGRAPHS: [&str; 4] = ["astronaut-648-grey.jpg", "cat-648.jpg", "coffee-648.jpg", "rocket-640x427.jpg"];

fn original(name: &str) -> (Picture, Fingerprint) {
    let bytes = fixture(name);
    (Picture::of_jpeg(&bytes), upright(&bytes).fingerprint())
}

/// One kind of change: the distances between the pictures, and the number of wrong decisions.
#[derive(Default)]
struct Row {
    distances: Vec<u32>,
}

struct Table {
    should_be_close: bool,
    rows: Vec<(String, Row)>,
}

impl Table {
    fn new(should_be_close: bool) -> Self {
        Self { should_be_close, rows: Vec::new() }
    }

    fn add(&mut self, change: impl Into<String>, before: &Fingerprint, after: &[u8]) {
        self.compare(change.into(), before, &upright(after).fingerprint());
    }

    fn compare(&mut self, change: String, before: &Fingerprint, after: &Fingerprint) {
        let distance = before.distance(after);
        assert_eq!((before.is_close(after), after.distance(before)), (distance <= 100, distance));
        let at = self.rows.iter().position(|(known, _)| *known == change).unwrap_or_else(|| {
            self.rows.push((change, Row::default()));
            self.rows.len() - 1
        });
        self.rows[at].1.distances.push(distance);
    }

    /// Prints the table (`--no-capture` shows it) and fails if any decision is wrong.
    fn check(&self) {
        let wrong_name = if self.should_be_close { "false negatives" } else { "false positives" };
        println!("{:34} {:>5} {:>5} {:>5}  {wrong_name}", "change", "least", "most", "of");
        let mut wrong = 0;
        for (change, Row { distances }) in &self.rows {
            let missed = distances.iter().filter(|distance| (**distance <= 100) != self.should_be_close).count();
            let (least, most) = (distances.iter().min().unwrap(), distances.iter().max().unwrap());
            println!("{change:34} {least:5} {most:5} {:5}  {missed}", distances.len());
            wrong += missed;
        }
        assert_eq!(wrong, 0, "{wrong_name}");
    }
}

#[test]
fn our_thumbnail_is_recognised_however_it_was_recompressed() {
    let mut table = Table::new(true);
    for name in PHOTOGRAPHS.into_iter().chain(["astronaut-648.jpg", "cat-432-alpha.png"]) {
        let photo = upright(&fixture(name));
        let before = photo.fingerprint();
        let ours = Picture::thumbnail(&photo);
        for quality in [60, 70, 80, 95] {
            table.add(format!("4:4:4 q{quality}"), &before, &ours.jpeg(quality));
            table.add(format!("4:2:0 q{quality}"), &before, &ours.jpeg_420(quality));
            for side in [64, 48] {
                let smaller = ours.resized(side);
                table.add(format!("{side}x{side}, 4:4:4 q{quality}"), &before, &smaller.jpeg(quality));
                table.add(format!("{side}x{side}, 4:2:0 q{quality}"), &before, &smaller.jpeg_420(quality));
            }
        }
        let once = Picture::of_jpeg(&ours.jpeg_420(75));
        table.add("4:2:0 q75, then 4:2:0 q70", &before, &once.jpeg_420(70));
        table.add("progressive q75", &before, &ours.jpeg_with(75, |encoder| encoder.set_progressive(true)));
    }
    table.check();
}

#[test]
fn the_echo_among_the_fixtures_is_recognised() {
    let (_, before) = original("astronaut-648.jpg");
    for name in ["astronaut-96.jpg", "astronaut-96-reencoded.jpg"] {
        let after = upright(&fixture(name)).fingerprint();
        assert!(before.is_close(&after), "{name}: {}", before.distance(&after));
    }
    let (thumbnail, reencoded) =
        (upright(&fixture("astronaut-96.jpg")), upright(&fixture("astronaut-96-reencoded.jpg")));
    assert!(thumbnail.fingerprint().is_close(&reencoded.fingerprint()));
}

#[test]
fn intentional_changes_are_detected() {
    let mut table = Table::new(false);
    let originals = PHOTOGRAPHS.map(|name| (name, original(name)));
    for (name, (picture, before)) in &originals {
        let name = *name;
        let shortest = picture.width.min(picture.height);
        let (left, top) = ((picture.width - shortest) / 2, (picture.height - shortest) / 2);
        let square = picture.crop(left, top, shortest);
        let small = square.resized(96);

        for percent in [2, 4, 6, 10] {
            let side = shortest * (100 - percent) / 100;
            let spare = shortest - side;
            let mut cut = |which: &str, left, top| {
                let cut = square.crop(left, top, side).resized(96);
                table.add(format!("{percent} % cut off, {which}"), before, &cut.jpeg(85));
            };
            cut("around", spare / 2, spare / 2);
            cut("top left", 0, 0);
        }
        for percent in [-20, -10, -5, -3, 3, 5, 10, 20] {
            let brighter = |value: u8| ((i32::from(value) * (100 + percent) + 50) / 100).clamp(0, 255) as u8;
            table.add(format!("brightness {percent:+} %"), before, &small.map(|p| p.map(brighter)).jpeg(85));
        }
        for percent in [90, 115] {
            let steeper = |value: u8| ((i32::from(value) - 128) * percent / 100 + 128).clamp(0, 255) as u8;
            table.add(format!("contrast {percent} %"), before, &small.map(|p| p.map(steeper)).jpeg(85));
        }
        let last = small.width - 1;
        let flipped = Picture::from_fn(96, 96, |x, y| small.pixel(last - x, y));
        table.add("mirrored", before, &flipped.jpeg(85));
        let upside_down = Picture::from_fn(96, 96, |x, y| small.pixel(x, last - y));
        table.add("upside down", before, &upside_down.jpeg(85));
        let moved = Picture::from_fn(96, 96, |x, y| small.pixel((x + 1).min(last), y));
        table.add("moved by one pixel of 96", before, &moved.jpeg(85));
        let badge = |p: [u8; 3]| p.map(|v| if v < 128 { v + 60 } else { v - 60 });
        let with_badge = Picture::from_fn(96, 96, |x, y| {
            if (44..50).contains(&x) && (30..36).contains(&y) { badge(small.pixel(x, y)) } else { small.pixel(x, y) }
        });
        table.add("a spot of 6x6 pixels", before, &with_badge.jpeg(85));
        if name != "astronaut-648-grey.jpg" {
            let luma =
                |p: [u8; 3]| ((299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2])) / 1000) as u8;
            table.add("colour taken away", before, &small.map(|p| [luma(p); 3]).jpeg(85));
        }
        for (_, (_, other)) in originals.iter().filter(|(other, _)| *other != name) {
            table.compare("another photo".to_owned(), before, other);
        }
    }
    table.check();
}

#[test]
fn a_fingerprint_survives_the_way_through_an_audit_entry() {
    let (_, fingerprint) = original("cat-648.jpg");
    let text = fingerprint.to_string();
    assert!(text.len() <= 1024 && text.starts_with("f1."), "{} characters", text.len());
    assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
    assert_eq!(text.parse(), Ok(fingerprint));
}

#[test]
fn a_fingerprint_of_another_making_is_not_compared() {
    let (_, fingerprint) = original("cat-648.jpg");
    let text = fingerprint.to_string();
    for other in ["", "f1.", &text.replace("f1.", "f2."), &text[..text.len() - 4], &format!("{text}AAAA")] {
        assert_eq!(other.parse::<Fingerprint>(), Err(InvalidFingerprint));
    }
}
