//! The time as AWS signatures want it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

/// Now, as `20261122T213000Z`.
pub(crate) fn amz_date() -> Result<String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(format_amz_date(seconds))
}

/// Days to a date: Howard Hinnant's `civil_from_days`, for dates after 1970.
fn format_amz_date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(super::format_amz_date(0), "19700101T000000Z");
        assert_eq!(super::format_amz_date(951_827_696), "20000229T123456Z");
        assert_eq!(super::format_amz_date(1_798_761_599), "20261231T235959Z");
    }
}
