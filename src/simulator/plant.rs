//! Process models of machines and lines. Pure.
//!
//! In: a seed, a start, and plant time as it passes. Out: states, part counters and energy, as the devices of a real
//! line would show them. The same seed gives the same history, however often it is looked at.

use fastrand::Rng;

use crate::model::state::MachineState;
use crate::model::time::Timestamp;

const MINUTE_MS: f64 = 60_000.0;
const HOUR_MS: f64 = 3_600_000.0;

/// What kind of machine it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MachineModel {
    /// Time one part takes at full pace. **Unit**: ms.
    pub cycle_ms: f64,
    /// How much slower than that it runs at most, as a share; each run draws its own pace.
    pub slowdown_max: f64,
    /// Share of parts that are scrap.
    pub scrap_share: f64,
    /// Mean length of a run. **Unit**: minutes.
    pub run_minutes: f64,
    /// How it stops: state, weight, mean length in minutes.
    pub stops: [(MachineState, f64, f64); 4],
    /// Power while producing and otherwise. **Unit**: kW.
    pub power_kw: (f64, f64),
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Machine {
    model: MachineModel,
    random: Rng,
    now: Timestamp,
    phase: Phase,
    total: u64,
    scrap: u64,
    /// Energy used before the present phase. **Unit**: kWh.
    energy_before_kwh: f64,
}

/// A span of one state.
#[derive(Debug, Clone, Copy)]
struct Phase {
    state: MachineState,
    from: Timestamp,
    until: Timestamp,
    /// When the next part is done, in ms since 1970; only while producing.
    next_part_ms: f64,
    cycle_ms: f64,
}

impl Machine {
    /// Returns a machine that begins a run at `start`.
    pub fn new(model: MachineModel, seed: u64, start: Timestamp) -> Self {
        let idle = Phase {
            state: MachineState::Idle,
            from: start,
            until: start,
            next_part_ms: f64::MAX,
            cycle_ms: model.cycle_ms,
        };
        let random = Rng::with_seed(seed);
        let mut machine = Self { model, random, now: start, phase: idle, total: 0, scrap: 0, energy_before_kwh: 0.0 };
        machine.phase = machine.next_phase();
        machine
    }

    /// Lets time pass until `now`; an earlier instant changes nothing.
    pub fn advance(&mut self, now: Timestamp) {
        while self.now < now {
            let step = now.min(self.phase.until);
            self.make_parts(step);
            self.now = step;
            if step == self.phase.until {
                self.energy_before_kwh += self.phase_energy_kwh();
                self.phase = self.next_phase();
            }
        }
    }

    /// Returns what it does.
    pub const fn state(&self) -> MachineState {
        self.phase.state
    }

    /// Returns the number of parts made, good or not.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Returns the number of parts that were scrap.
    pub const fn scrap(&self) -> u64 {
        self.scrap
    }

    /// Returns the power it draws. **Unit**: kW.
    pub fn power_kw(&self) -> f64 {
        if self.phase.state == MachineState::Producing { self.model.power_kw.0 } else { self.model.power_kw.1 }
    }

    /// Returns the energy used since the start. **Unit**: kWh.
    pub fn energy_kwh(&self) -> f64 {
        self.energy_before_kwh + self.phase_energy_kwh()
    }

    #[expect(clippy::cast_precision_loss, reason = "instants are below 2^53 ms")]
    fn phase_energy_kwh(&self) -> f64 {
        self.power_kw() * self.now.ms_since(self.phase.from) as f64 / HOUR_MS
    }

    #[expect(clippy::cast_precision_loss, reason = "instants are below 2^53 ms")]
    fn make_parts(&mut self, until: Timestamp) {
        while self.phase.next_part_ms <= until.0 as f64 {
            self.total += 1;
            self.scrap += u64::from(self.random.f64() < self.model.scrap_share);
            self.phase.next_part_ms += self.phase.cycle_ms;
        }
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "lengths of minutes, in ms")]
    fn next_phase(&mut self) -> Phase {
        let from = self.now;
        let (state, minutes) = if self.phase.state == MachineState::Producing {
            self.choose_stop()
        } else {
            (MachineState::Producing, self.model.run_minutes)
        };
        // Between half and one and a half of the mean, a whole second at least.
        let length_ms = (minutes * MINUTE_MS * (0.5 + self.random.f64())).max(1000.0);
        let cycle_ms = self.model.cycle_ms / (1.0 - self.model.slowdown_max * self.random.f64());
        let producing = state == MachineState::Producing;
        let next_part_ms = if producing { from.0 as f64 + cycle_ms } else { f64::MAX };
        Phase { state, from, until: from + length_ms as i64, next_part_ms, cycle_ms }
    }

    fn choose_stop(&mut self) -> (MachineState, f64) {
        let whole: f64 = self.model.stops.iter().map(|(_, weight, _)| weight).sum();
        let mut draw = self.random.f64() * whole;
        for (state, weight, minutes) in self.model.stops {
            if draw < weight {
                return (state, minutes);
            }
            draw -= weight;
        }
        (MachineState::Idle, 1.0)
    }
}

/// Machines behind one meter.
#[derive(Debug, Clone)]
pub struct Line {
    machines: Vec<Machine>,
    start: Timestamp,
    now: Timestamp,
    /// Light, air and cooling. **Unit**: kW.
    base_kw: f64,
}

impl Line {
    /// Returns a line whose machines begin at `start`; each draws its own history from `seed`.
    pub fn new(models: &[MachineModel], base_kw: f64, seed: u64, start: Timestamp) -> Self {
        let machines = (seed..).zip(models).map(|(seed, model)| Machine::new(*model, seed, start)).collect();
        Self { machines, start, now: start, base_kw }
    }

    /// Lets time pass until `now`; an earlier instant changes nothing.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.machines.iter_mut().for_each(|machine| machine.advance(now));
    }

    /// Returns the machine at a position.
    pub fn machine(&self, position: usize) -> Option<&Machine> {
        self.machines.get(position)
    }

    /// Returns the power the meter shows. **Unit**: kW.
    pub fn power_kw(&self) -> f64 {
        self.base_kw + self.machines.iter().map(Machine::power_kw).sum::<f64>()
    }

    /// Returns the energy the meter has counted since the start. **Unit**: kWh.
    #[expect(clippy::cast_precision_loss, reason = "instants are below 2^53 ms")]
    pub fn energy_kwh(&self) -> f64 {
        let base = self.base_kw * self.now.ms_since(self.start) as f64 / HOUR_MS;
        base + self.machines.iter().map(Machine::energy_kwh).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;
    use proptest::{collection, prop_assert, prop_assert_eq};

    use super::{Line, Machine, MachineModel, MachineState, Timestamp};

    const PRESS: MachineModel = MachineModel {
        cycle_ms: 1_000.0,
        slowdown_max: 0.2,
        scrap_share: 0.05,
        run_minutes: 10.0,
        stops: [
            (MachineState::Idle, 1.0, 2.0),
            (MachineState::Setup, 1.0, 3.0),
            (MachineState::Fault, 1.0, 4.0),
            (MachineState::Stopped, 1.0, 1.0),
        ],
        power_kw: (10.0, 2.0),
    };

    #[test]
    fn a_day_of_a_machine_has_every_state_and_plausible_counters() {
        let mut machine = Machine::new(PRESS, 7, Timestamp(0));
        let mut states = std::collections::BTreeSet::new();
        for minute in 1..=1440 {
            machine.advance(Timestamp(minute * 60_000));
            states.insert(machine.state());
        }
        assert_eq!(states.len(), 5, "{states:?}");
        assert!((40_000..86_400).contains(&machine.total()), "{}", machine.total());
        let share = machine.scrap() as f64 / machine.total() as f64;
        assert!((0.04..0.06).contains(&share), "{share}");
        assert!((48.0..240.0).contains(&machine.energy_kwh()), "{}", machine.energy_kwh());
    }

    #[test]
    fn a_meter_shows_the_energy_of_its_machines_and_of_the_hall() {
        let mut line = Line::new(&[PRESS, PRESS], 5.0, 1, Timestamp(0));
        line.advance(Timestamp(3_600_000));
        let machines: f64 = (0..2).map(|position| line.machine(position).unwrap().energy_kwh()).sum();
        assert!((line.energy_kwh() - machines - 5.0).abs() < 1e-9);
        assert!((9.0..=25.0).contains(&line.power_kw()));
    }

    proptest! {
        #[test]
        fn a_history_does_not_depend_on_how_often_it_is_looked_at(
            seed: u64,
            steps in collection::vec(1_i64..600_000, 1..60),
        ) {
            let mut often = Machine::new(PRESS, seed, Timestamp(0));
            let mut now = Timestamp(0);
            let mut before = (0, 0.0);
            for step in steps {
                now = now + step;
                often.advance(now);
                prop_assert!((often.total(), often.energy_kwh()) >= before, "counters never fall");
                before = (often.total(), often.energy_kwh());
            }
            let mut once = Machine::new(PRESS, seed, Timestamp(0));
            once.advance(now);
            prop_assert_eq!((once.state(), once.total(), once.scrap()), (often.state(), often.total(), often.scrap()));
            prop_assert_eq!(once.energy_kwh(), often.energy_kwh());
        }
    }
}
