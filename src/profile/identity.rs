//! How a device of a profile is recognised: registers with known content, and what it says about itself.

use serde::Deserialize;

use super::register::{Table, text_of};

/// What a device of a type answers and no other is known to. An empty identity recognises nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Part of the vendor's name that the device gives (function 43/14, object 0).
    pub vendor: Option<String>,
    /// Part of the product code, product name or model name that the device gives (objects 1, 4 and 5).
    pub product: Option<String>,
    /// Registers with known content; all must match.
    #[serde(rename = "register")]
    pub registers: Vec<IdentityRegister>,
}

impl Identity {
    /// Says whether there is nothing to recognise a device by.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Says whether what a device says about itself fits: each expected part occurs, whatever its case. `None` where
    /// nothing is expected of it. `products` are the product code, product name and model name.
    pub fn matches_names(&self, vendor: &str, products: &[&str]) -> Option<bool> {
        let holds = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let vendor_fits = self.vendor.as_ref().map(|part| holds(vendor, part));
        let product_fits = self.product.as_ref().map(|part| products.iter().any(|text| holds(text, part)));
        match (vendor_fits, product_fits) {
            (None, None) => None,
            (vendor_fits, product_fits) => Some(vendor_fits.unwrap_or(true) && product_fits.unwrap_or(true)),
        }
    }
}

/// Registers whose content tells the device type: either `words`, or a `text` of `length` registers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRegister {
    /// Which table.
    pub table: Table,
    /// First address on the wire; counted from the model's id register in a SunSpec profile.
    pub address: u16,
    /// Raw words, where the content is a number.
    #[serde(default)]
    pub words: Vec<u16>,
    /// How the text begins, where the content is one.
    #[serde(default)]
    pub text: Option<String>,
    /// How many registers the text takes.
    #[serde(default)]
    pub length: Option<u16>,
}

impl IdentityRegister {
    /// Returns how many registers to read.
    pub fn length(&self) -> u16 {
        self.length.unwrap_or_else(|| u16::try_from(self.words.len()).unwrap_or(u16::MAX))
    }

    /// Says whether the words that were read are the expected ones.
    pub fn matches(&self, words: &[u16]) -> bool {
        match &self.text {
            Some(text) => text_of(words, false, usize::MAX).is_some_and(|found| found.starts_with(text)),
            None => words == self.words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn a_device_is_recognised_by_its_registers() {
        let text = r#"
            register = [
              { table = "input", address = 11, words = [0x0155] },
              { table = "holding", address = 40004, text = "Fronius", length = 8 },
            ]"#;
        let identity: Identity = toml::from_str(text).unwrap();
        let [number, name] = identity.registers.as_slice() else { panic!("{identity:?}") };
        assert_eq!((number.length(), name.length()), (1, 8));
        assert!(number.matches(&[0x0155]) && !number.matches(&[0x0156]) && !number.matches(&[]));
        assert!(name.matches(&[0x4672, 0x6F6E, 0x6975, 0x7320, 0x494E, 0x5400, 0, 0]), "Fronius INT");
        assert!(!name.matches(&[0x534D, 0x4100, 0, 0, 0, 0, 0, 0]) && !name.matches(&[0xFFFF; 8]));
        assert_eq!(identity.matches_names("anyone", &[]), None, "nothing is expected of the names");
    }

    #[test]
    fn a_device_is_recognised_by_what_it_says_about_itself() {
        let identity: Identity = toml::from_str("vendor = \"Schneider\"\nproduct = \"iEM3\"").unwrap();
        assert_eq!(identity.matches_names("SCHNEIDER ELECTRIC", &["", "iEM3155"]), Some(true));
        assert_eq!(identity.matches_names("Schneider Electric", &["PM5320"]), Some(false));
        assert_eq!(identity.matches_names("ABB", &["iEM3155"]), Some(false));
        assert!(Identity::default().is_empty() && !identity.is_empty());
    }
}
