//! Parsers of sizes and times on the command line.

use std::time::Duration;

/// Parses a number of bytes above 0: `4096`, `32KB` (1 KB is 1024 bytes), `1MB`, also as `32k` or `32KiB`.
pub fn size(text: &str) -> Result<usize, String> {
    let upper = text.trim().to_ascii_uppercase();
    let unit_at = upper.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(upper.len());
    let (number, unit) = upper.split_at(unit_at);
    let factor = match unit {
        "" | "B" => Some(1),
        "K" | "KB" | "KIB" => Some(1 << 10),
        "M" | "MB" | "MIB" => Some(1 << 20),
        _ => None,
    };
    let number = number.trim().parse::<usize>().ok();
    let bytes = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "expected a number of bytes, such as 32KB".to_owned())
}

/// Parses a duration such as `90s`, `20m` or `1.5h`. Fails below one second and above 10,000,000 seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 90s, 20m or 2h, from 1 s to 10,000,000 s".to_owned();
    // The last character, which may have several bytes, is the unit.
    let unit_bytes = text.chars().next_back().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(text.len() - unit_bytes);
    let factor = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected()),
    };
    let seconds = number.parse::<f64>().map_err(|_| expected())? * factor;
    if !(1.0..=1e7).contains(&seconds) {
        return Err(expected());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let sizes = ["4096", "4096B", "32KB", "32k", "1 MB", "8KiB"].map(size);
        assert_eq!(sizes, [4096, 4096, 32 << 10, 32 << 10, 1 << 20, 8 << 10].map(Ok));
        for bad in ["", "KB", "0", "-1", "3GB", "4096I", "4KBB", "32.5KB", "99999999999999999999MB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(
            ["90s", "20m", "1.5h"].map(duration),
            [90, 1200, 5400].map(|seconds| Ok(Duration::from_secs(seconds)))
        );
        for bad in ["", "20", "m", "-1m", "0s", "20é", "99999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
