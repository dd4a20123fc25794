//! Finds what must never be printed in what was printed.
//!
//! It knows every person, secret and photo of a simulated tenant, and the shapes of tokens and picture bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use graph_sim::Sim;

/// The first bytes of a JPEG as a list of numbers, which is how a careless `Debug` prints them.
const JPEG_AS_NUMBERS: &str = "255, 216, 255";
/// Every token of the simulator begins so.
const TOKEN: &str = "simulated-";

/// What must not be found, each with the word for it.
pub(crate) struct NeverPrinted {
    /// Found anywhere, in any case.
    texts: Vec<(&'static str, String)>,
    /// Found as words: they are short, and a digest may hold them by chance.
    words: Vec<(&'static str, String)>,
    bytes: Vec<(&'static str, Vec<u8>)>,
}

impl NeverPrinted {
    /// Everything that the simulator knows, photos of the past among it, and these secrets.
    pub(crate) fn of(sim: &Sim, secrets: &[&str]) -> Self {
        let mut never = Self {
            texts: vec![
                ("token", TOKEN.to_owned()),
                ("token", "Bearer ".to_owned()),
                ("client secret", sim.client_secret()),
                ("client secret", url::form_urlencoded::byte_serialize(sim.client_secret().as_bytes()).collect()),
                ("photo", JPEG_AS_NUMBERS.to_owned()),
                ("SAS signature", "sig=".to_owned()),
            ],
            words: Vec::new(),
            bytes: vec![("photo", vec![0xff, 0xd8, 0xff])],
        };
        never.texts.retain(|(_, text)| !text.is_empty());
        never.texts.extend(secrets.iter().map(|secret| ("secret", (*secret).to_owned())));
        for user in sim.tenant().users() {
            let names = [Some(user.display_name), user.given_name, user.surname, user.on_premises_sam_account_name];
            never.words.extend(names.into_iter().flatten().map(|name| ("name", name)));
            let addresses = [
                Some(user.user_principal_name),
                user.mail,
                user.on_premises_user_principal_name,
                user.on_premises_distinguished_name,
            ];
            never.texts.extend(addresses.into_iter().flatten().map(|address| ("address", address)));
            for photo in sim.tenant().history(user.id).iter().filter_map(graph_sim::ShownPhoto::bytes) {
                never.add_photo(&photo);
            }
        }
        never
    }

    fn add_photo(&mut self, photo: &[u8]) {
        let start = &photo[..photo.len().min(48)];
        if start.len() < 16 {
            return;
        }
        let hex: String = start[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        self.texts.push(("photo", BASE64.encode(start)));
        self.texts.push(("photo", hex));
        self.bytes.push(("photo", start.to_vec()));
    }

    /// What was found, with the lines around it.
    pub(crate) fn found_in(&self, printed: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(printed);
        let lower = text.to_lowercase();
        let texts = self.texts.iter().filter_map(|(what, secret)| {
            let at = lower.find(&secret.to_lowercase())?;
            Some((what, secret, line_at(&lower, at)))
        });
        let words = self.words.iter().filter_map(|(what, word)| {
            let at = text.match_indices(word.as_str()).map(|(at, _)| at).find(|at| is_word(&text, *at, word.len()))?;
            Some((what, word, line_at(&text, at)))
        });
        let bytes = self.bytes.iter().filter(|(_, bytes)| printed.windows(bytes.len()).any(|window| window == bytes));
        let mut found: Vec<String> =
            texts.chain(words).map(|(what, secret, line)| format!("{what} `{secret}` in: {line}")).collect();
        found.extend(bytes.map(|(what, _)| format!("{what}, as raw bytes")));
        found
    }
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].chars().next_back();
    let after = text[at + length..].chars().next();
    ![before, after].into_iter().flatten().any(char::is_alphanumeric)
}

fn line_at(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[start..].lines().next().unwrap_or_default()
}

#[tokio::test]
async fn whatever_is_planted_is_found() {
    let sim = Sim::start(graph_sim::SimConfig { users: 2, ..Default::default() }).await.unwrap();
    let user = sim.tenant().users().remove(0);
    let photo = sim.tenant().photo(user.id).unwrap();
    let never = NeverPrinted::of(&sim, &["my-client-state"]);
    assert_eq!(never.found_in(format!("2026 INFO looked user.id={}\n", user.id).as_bytes()), Vec::<String>::new());
    let hex: String = photo[..20].iter().map(|byte| format!("{byte:02X}")).collect();
    let planted: [Vec<u8>; 13] = [
        user.user_principal_name.to_uppercase().into(),
        user.display_name.clone().into(),
        format!("name={}", user.given_name.unwrap()).into(),
        format!("({})", user.surname.unwrap()).into(),
        format!("{}.jpg", user.on_premises_sam_account_name.unwrap()).into(),
        format!("token {TOKEN}0a1b").into(),
        b"authorization: Bearer x".to_vec(),
        sim.client_secret().into(),
        b"expected My-Client-State".to_vec(),
        b"http://127.0.0.1/x?sv=1&sig=abc".to_vec(),
        BASE64.encode(&photo).into(),
        hex.into(),
        photo.to_vec(),
    ];
    for leak in planted {
        let printed = [&b"a line\nINFO it says "[..], &leak, b" and goes on\n"].concat();
        assert!(!never.found_in(&printed).is_empty(), "not found: {}", String::from_utf8_lossy(&leak));
    }
    sim.shutdown().await;
}
