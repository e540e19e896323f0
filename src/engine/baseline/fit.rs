//! The fit of a baseline: ordinary least squares over a baseline period, with the statistics that decide on it.
//!
//! In: one row a period, energy and drivers. Out: coefficients, R², F and its p value, CV(RMSE), and whether the model
//! is accepted. Solved by Householder's QR on scaled columns, which keeps the digits that normal equations lose.

use super::beta::f_tail;

/// Drivers of a model, at most.
pub const DRIVERS_MAX: usize = 4;

/// Share of the variance that an accepted model explains, at least. **Source**: common practice under ISO 50006.
pub const R2_MIN: f64 = 0.75;

/// Probability that an accepted model is due to chance, less than. **Source**: common practice under ISO 50006.
pub const P_MAX: f64 = 0.05;

/// Coefficient of variation of the root mean square error of an accepted model, at most. **Source**: common practice
/// under ISO 50006; ASHRAE Guideline 14 asks for as much of monthly models.
pub const CV_RMSE_MAX: f64 = 0.25;

/// Relative size of a column's rest, below which it says nothing that those before it don't.
const DEPENDENT: f64 = 1e-10;

/// One period of the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Energy used. **Unit**: kWh.
    pub energy: f64,
    /// The drivers, each in its unit, in the order of the model.
    pub drivers: Vec<f64>,
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// b₀. **Unit**: kWh a period.
    pub constant: f64,
    /// b of each driver. **Unit**: kWh for each unit of it.
    pub coefficients: Vec<f64>,
    /// Periods.
    pub n: usize,
    /// Share of the variance that the model explains.
    pub r2: f64,
    /// Ratio of explained to unexplained variance, each by its degrees of freedom; infinite for a perfect fit.
    pub f: f64,
    /// Probability of such an F by chance.
    pub p: f64,
    /// Root mean square error over the mean energy.
    pub cv_rmse: f64,
}

/// Why there is no fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too many drivers.
    #[error("{0} drivers, at most {DRIVERS_MAX} are fitted: leave out those that matter least")]
    Drivers(usize),
    /// Rows of different lengths, or a number that is none.
    #[error("period {0} has other drivers than the first, or a value that is no finite number")]
    Row(usize),
    /// Too few periods for as many coefficients.
    #[error("{periods} periods are too few for {drivers} drivers: at least {needed} are needed")]
    Periods {
        /// How many there are.
        periods: usize,
        /// Drivers.
        drivers: usize,
        /// How many there must be.
        needed: usize,
    },
    /// A driver that doesn't vary, or follows from others.
    #[error("driver {0} doesn't vary, or follows from the others: leave it out")]
    Dependent(usize),
    /// Energy that doesn't vary: there is nothing to explain.
    #[error("the energy is the same in every period: there is nothing to explain")]
    Constant,
}

impl Fit {
    /// Says whether the model may be used.
    pub fn is_accepted(&self) -> bool {
        self.refusals().is_empty()
    }

    /// Returns what speaks against the model, for people.
    pub fn refusals(&self) -> Vec<String> {
        let Self { r2, p, cv_rmse, .. } = *self;
        let mut refusals = Vec::new();
        if r2 < R2_MIN {
            refusals.push(format!("R² {r2:.4} is below {R2_MIN}"));
        }
        if p >= P_MAX {
            refusals.push(format!("p {p:.4} is not below {P_MAX}"));
        }
        if cv_rmse > CV_RMSE_MAX {
            refusals.push(format!("CV(RMSE) {:.1} % is above {:.0} %", cv_rmse * 100.0, CV_RMSE_MAX * 100.0));
        }
        refusals
    }

    /// Returns what the model expects of a period. **Unit**: kWh.
    pub fn expected(&self, drivers: &[f64]) -> f64 {
        self.constant + self.coefficients.iter().zip(drivers).map(|(b, x)| b * x).sum::<f64>()
    }

    /// Returns the cumulative sum of actual less expected energy after each period: it falls while energy is saved.
    /// **Unit**: kWh.
    pub fn cusum(&self, rows: &[Row]) -> Vec<f64> {
        let step = |sum: &mut f64, row: &Row| {
            *sum += row.energy - self.expected(&row.drivers);
            Some(*sum)
        };
        rows.iter().scan(0.0, step).collect()
    }
}

/// Fits E = b₀ + Σ bᵢ·xᵢ.
///
/// # Errors
/// A [`FitError`] where the periods don't determine the coefficients.
pub fn fit(rows: &[Row]) -> Result<Fit, FitError> {
    let drivers = rows.first().map_or(0, |row| row.drivers.len());
    if drivers > DRIVERS_MAX {
        return Err(FitError::Drivers(drivers));
    }
    let is_sound =
        |row: &Row| row.drivers.len() == drivers && row.drivers.iter().chain([&row.energy]).all(|x| x.is_finite());
    if let Some(bad) = rows.iter().position(|row| !is_sound(row)) {
        return Err(FitError::Row(bad + 1));
    }
    // One more than the coefficients leaves something to judge the model by.
    let needed = drivers + 3;
    if drivers == 0 || rows.len() < needed {
        return Err(FitError::Periods { periods: rows.len(), drivers, needed });
    }
    let n = real(rows.len());
    let mean = |value: &dyn Fn(&Row) -> f64| rows.iter().map(value).sum::<f64>() / n;
    let energy_mean = mean(&|row| row.energy);
    let means: Vec<f64> = (0..drivers).map(|driver| mean(&|row| row.drivers[driver])).collect();
    let mut columns: Vec<Vec<f64>> =
        means.iter().enumerate().map(|(at, mean)| rows.iter().map(|row| row.drivers[at] - mean).collect()).collect();
    let mut rest: Vec<f64> = rows.iter().map(|row| row.energy - energy_mean).collect();
    let total = square(&rest);
    if total <= (energy_mean.abs() * 1e-12).powi(2) * n {
        return Err(FitError::Constant);
    }
    let coefficients = solve(&mut columns, &means, &mut rest)?;
    let constant = energy_mean - coefficients.iter().zip(&means).map(|(b, mean)| b * mean).sum::<f64>();
    Ok(judge(rows, constant, coefficients, total, energy_mean))
}

fn judge(rows: &[Row], constant: f64, coefficients: Vec<f64>, total: f64, energy_mean: f64) -> Fit {
    let (model, rest) = (real(coefficients.len()), real(rows.len() - coefficients.len() - 1));
    let mut fit = Fit { constant, coefficients, n: rows.len(), r2: 0.0, f: 0.0, p: 1.0, cv_rmse: 0.0 };
    let unexplained: f64 = rows.iter().map(|row| (row.energy - fit.expected(&row.drivers)).powi(2)).sum();
    let explained = (total - unexplained).max(0.0);
    fit.r2 = explained / total;
    fit.f = (explained / model) / (unexplained / rest);
    fit.p = if fit.f.is_finite() { f_tail(fit.f, model, rest) } else { 0.0 };
    fit.cv_rmse = (unexplained / rest).sqrt() / energy_mean.abs();
    fit
}

/// Solves the least squares of centred columns by Householder reflections.
fn solve(columns: &mut [Vec<f64>], means: &[f64], rest: &mut [f64]) -> Result<Vec<f64>, FitError> {
    let sizes: Vec<f64> = columns.iter().map(|column| square(column).sqrt()).collect();
    for (driver, (size, mean)) in sizes.iter().zip(means).enumerate() {
        if *size <= mean.abs() * 1e-12 * real(rest.len()) {
            return Err(FitError::Dependent(driver + 1));
        }
        columns[driver].iter_mut().for_each(|value| *value /= size);
    }
    let mut diagonal = Vec::with_capacity(columns.len());
    for at in 0..columns.len() {
        let norm = square(&columns[at][at..]).sqrt();
        if norm < DEPENDENT {
            return Err(FitError::Dependent(at + 1));
        }
        let alpha = if columns[at][at] > 0.0 { -norm } else { norm };
        let mut mirror = columns[at][at..].to_vec();
        mirror[0] -= alpha;
        let size = square(&mirror);
        let reflect = |column: &mut [f64]| {
            let dot: f64 = mirror.iter().zip(column.iter()).map(|(m, value)| m * value).sum();
            mirror.iter().zip(column).for_each(|(m, value)| *value -= 2.0 * dot / size * m);
        };
        columns[at + 1..].iter_mut().for_each(|column| reflect(&mut column[at..]));
        reflect(&mut rest[at..]);
        diagonal.push(alpha);
    }
    let mut coefficients = vec![0.0; columns.len()];
    for at in (0..columns.len()).rev() {
        let known: f64 = (at + 1..columns.len()).map(|later| columns[later][at] * coefficients[later]).sum();
        coefficients[at] = (rest[at] - known) / diagonal[at];
    }
    Ok(coefficients.into_iter().zip(sizes).map(|(b, size)| b / size).collect())
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a count of periods")]
fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{FitError, Row, fit};

    fn rows(data: &[(f64, &[f64])]) -> Vec<Row> {
        data.iter().map(|(energy, drivers)| Row { energy: *energy, drivers: drivers.to_vec() }).collect()
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
    }

    #[test]
    fn p6_a_line_is_found_with_its_constant_and_slope() {
        let made = |quantity: f64| (12_000.0 + 3.5 * quantity, quantity);
        let data: Vec<Row> = [8_000.0, 9_500.0, 10_400.0, 11_000.0, 7_200.0, 12_300.0]
            .map(|quantity| Row { energy: made(quantity).0, drivers: vec![quantity] })
            .to_vec();
        let fit = fit(&data).unwrap();
        near(fit.constant, 12_000.0);
        near(fit.coefficients[0], 3.5);
        near(fit.r2, 1.0);
        near(fit.expected(&[10_000.0]), 47_000.0);
        assert!(fit.is_accepted(), "{:?}", fit.refusals());
    }

    #[test]
    fn longley_style_statistics_of_a_small_example_by_hand() {
        // x 1..5, y 2 4 5 4 5: slope 0.6, constant 2.2, R² 0.6, F 4.5 with 1 and 3 degrees of freedom.
        let fit = fit(&rows(&[(2.0, &[1.0]), (4.0, &[2.0]), (5.0, &[3.0]), (4.0, &[4.0]), (5.0, &[5.0])])).unwrap();
        near(fit.constant, 2.2);
        near(fit.coefficients[0], 0.6);
        near(fit.r2, 0.6);
        near(fit.f, 4.5);
        near(fit.cv_rmse, 0.8_f64.sqrt() / 4.0);
        assert!((fit.p - 0.124_027).abs() < 1e-6, "{}", fit.p);
        let refusals = fit.refusals();
        assert_eq!(refusals.len(), 2, "{refusals:?}");
    }

    #[test]
    fn two_drivers_of_very_unlike_sizes_are_told_apart() {
        let data: Vec<Row> = (0..12)
            .map(|month| {
                let (quantity, days) = (1e6 + 1e4 * f64::from(month * month % 7), f64::from(month * 5 % 11));
                Row { energy: 800.0 + 0.002 * quantity + 40.0 * days, drivers: vec![quantity, days] }
            })
            .collect();
        let fit = fit(&data).unwrap();
        assert!((fit.constant - 800.0).abs() < 1e-4 && (fit.coefficients[0] - 0.002).abs() < 1e-10, "{fit:?}");
        near(fit.coefficients[1], 40.0);
    }

    #[test]
    fn what_the_periods_do_not_determine_is_said() {
        let line = |n: u32| (1..=n).map(|x| (f64::from(x), x)).collect::<Vec<_>>();
        let of = |n: u32, drivers: &dyn Fn(f64) -> Vec<f64>| {
            let rows: Vec<Row> = line(n).into_iter().map(|(x, _)| Row { energy: x * x, drivers: drivers(x) }).collect();
            fit(&rows).unwrap_err()
        };
        assert_eq!(of(3, &|x| vec![x]), FitError::Periods { periods: 3, drivers: 1, needed: 4 });
        assert_eq!(of(9, &|_| vec![5.0]), FitError::Dependent(1));
        assert_eq!(of(9, &|x| vec![x, 3.0 * x]), FitError::Dependent(2));
        assert_eq!(of(9, &|x| vec![x; 5]), FitError::Drivers(5));
        assert_eq!(of(9, &|x| if x > 4.5 { vec![f64::NAN] } else { vec![x] }), FitError::Row(5));
        let flat = rows(&[(7.0, &[1.0]), (7.0, &[2.0]), (7.0, &[3.0]), (7.0, &[4.0])]);
        assert_eq!(fit(&flat).unwrap_err(), FitError::Constant);
    }

    #[test]
    fn the_cumulative_sum_falls_while_energy_is_saved() {
        let model =
            super::Fit { constant: 12_000.0, coefficients: vec![3.5], n: 12, r2: 1.0, f: 1.0, p: 0.0, cv_rmse: 0.0 };
        let cusum = model.cusum(&rows(&[(44_500.0, &[10_000.0]), (47_000.0, &[10_000.0]), (46_000.0, &[10_000.0])]));
        assert_eq!(cusum, [-2_500.0, -2_500.0, -3_500.0]);
    }
}
