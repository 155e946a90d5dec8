use proptest::prelude::*;

use super::*;

fn q(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn canonical_texts() {
    let cases = [
        ("0", "0"),
        ("0.0", "0"),
        ("-0", "0"),
        ("100m", "100m"),
        ("0.1", "100m"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1023Ki", "1023Ki"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("1E", "1E"),
        ("1E3", "1e3"),
        ("123456k", "123456k"),
        ("1000000k", "1G"),
        (".5", "500m"),
        ("5.", "5"),
        ("-1.5", "-1500m"),
        ("+7", "7"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("1.00000000001", "1000000001n"),
        ("0.000001Ki", "1024u"),
        ("9999999999Gi", "9223372036854775807"),
        ("64Gi", "64Gi"),
        ("0.1Mi", "104857600m"),
        ("1000E", "1e21"),
    ];
    for (text, expected) in cases {
        assert_eq!(q(text).to_string(), expected, "{text}");
    }
}

#[test]
fn bad_texts() {
    for (text, error) in [
        ("", ParseQuantityError::Format),
        ("abc", ParseQuantityError::Format),
        ("1.2.3", ParseQuantityError::Format),
        ("1 Gi", ParseQuantityError::Format),
        ("1Gb", ParseQuantityError::Format),
        ("10KiB", ParseQuantityError::Format),
        ("1K", ParseQuantityError::Suffix),
        ("1mi", ParseQuantityError::Suffix),
        ("1ee5", ParseQuantityError::Suffix),
        ("-", ParseQuantityError::Format),
        ("Mi", ParseQuantityError::Format),
        ("é", ParseQuantityError::Format),
    ] {
        assert_eq!(text.parse::<Quantity>(), Err(error), "{text}");
    }
}

#[test]
fn values_round_away_from_zero() {
    assert_eq!(q("100m").value(), 1);
    assert_eq!(q("-100m").value(), -1);
    assert_eq!(q("100u").milli_value(), 1);
    assert_eq!(q("2").milli_value(), 2000);
    assert_eq!(q("64Mi").bytes(), 64 << 20);
    assert_eq!(q("1E9999").value(), i64::MAX);
}

#[test]
fn normalizing_keeps_what_the_api_server_keeps() {
    for (text, expected) in
        [("0.5", "500m"), ("1000m", "1"), ("100m", "100m"), ("1025Mi", "1025Mi"), ("1024Mi", "1Gi"), ("1.500", "1.500")]
    {
        assert_eq!(Quantity::normalize(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn sums_of_all_lengths_read_back() {
    for digits in 1..=29 {
        let sum = q(&"9".repeat(digits)) + q("1n");
        assert_eq!(q(&sum.to_string()), sum, "{digits} digits");
        assert_eq!(q(&(-sum).to_string()), -sum, "{digits} digits");
    }
}

#[test]
fn sums_take_the_notation_of_the_first_amount() {
    let total: Quantity = [q("128Mi"), q("1G")].into_iter().sum();
    assert_eq!(total.to_string(), "1134217728");
    assert_eq!((q("0") + q("1Gi")).to_string(), "1Gi");
    assert_eq!((q("1") - q("250m")).to_string(), "750m");
}

proptest! {
    #[test]
    fn printing_and_parsing_gives_the_amount_back(nanos in any::<i64>(), binary in any::<bool>(), factor in 0u32..4) {
        let format = if binary { Format::BinarySi } else { Format::DecimalSi };
        let quantity = Quantity { nanos: i128::from(nanos) * 1000_i128.pow(factor), format };
        prop_assert_eq!(q(&quantity.to_string()), quantity);
    }

    #[test]
    fn printing_is_idempotent(units in any::<i64>(), suffix in "(m|k|M|Ki|Mi|Gi|)") {
        if let Ok(once) = format!("{units}{suffix}").parse::<Quantity>().map(|x| x.to_string()) {
            prop_assert_eq!(q(&once).to_string(), once);
        }
    }

    #[test]
    fn normalizing_never_changes_the_amount(text in "[+-]?[0-9]{0,22}(\\.[0-9]{1,12})?(m|k|M|G|Ki|Mi|Gi|e3|e-2|)") {
        if let Ok(normal) = Quantity::normalize(&text) {
            prop_assert_eq!(q(&normal), q(&text));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,24}") {
        let _ = text.parse::<Quantity>().map(|x| (x.to_string(), x.value(), x.milli_value()));
    }

    #[test]
    fn addition_matches_integers(a in -1_000_000_000_000i64..1_000_000_000_000, b in -1_000_000_000_000i64..1_000_000_000_000) {
        prop_assert_eq!((Quantity::from_millis(a) + Quantity::from_millis(b)).milli_value(), a + b);
        prop_assert_eq!(Quantity::from_millis(a).cmp(&Quantity::from_millis(b)), a.cmp(&b));
    }
}
