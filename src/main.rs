//! The `parkgate` command line: it chooses a role and reports how it ended.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use parkgate::roles;

/// Industrial-park telemetry gateway: from a register to a signed KPI record at the park authority.
#[derive(Debug, Parser)]
#[command(name = "parkgate", version, about)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// A whole park on this machine: simulated factories, broker, gateways, hub and pages.
    Demo(roles::demo::Args),
    /// An edge box.
    Run(roles::run::Args),
    /// The park authority's hub.
    Hub(roles::hub::Args),
    /// Copy a box's store and key while it runs.
    Backup(roles::backup::Args),
    /// Make a new store from what can be read of a damaged one, which is kept.
    Recover(roles::recover::Args),
    /// Write a sample of each text file for the receiving department.
    Files(roles::files::Args),
    /// Name every problem in a configuration at once.
    Check(roles::check::Args),
    /// Tell that a meter was swapped, or list what was told.
    Meter(roles::meter::Args),
    /// Declare what nobody measures, approve it as a second person, or list what was declared.
    Declare(roles::declare::Args),
    /// Tell a box's production context from a file, or list what it was told.
    Context(roles::context::Args),
    /// Fit the baseline that an asset's electricity is compared with.
    Baseline(roles::baseline::Args),
    /// Read a register live.
    Read(roles::read::Args),
    /// Find units and known devices on a network or a bus.
    Scan(roles::scan::Args),
    /// Commission a device: read it, compare with its display, write its section.
    Survey(roles::survey::Args),
    /// Turn a tag list (CSV, or Kepware's export) into a source.
    Import(roles::import::Args),
    /// Run recorded samples through the engine; print records as JSON lines.
    Replay(roles::replay::Args),
    /// The KPI catalogue: what each figure means.
    Kpi(roles::kpi::Args),
    /// Emission factors, limits, tariffs and holidays, with their sources and versions.
    Reference(roles::reference::Args),
    /// What left the box, to whom, how it was answered, and what stayed inside.
    Egress(roles::egress::Args),
    /// Show the key that a box signs with, or let another one take over.
    Key(roles::key::Args),
    /// Check signatures, chain and gaps of pages offline.
    Verify(roles::verify::Args),
}

/// Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration.
fn main() -> ExitCode {
    // The one TLS provider; fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match Arguments::parse().role {
        Role::Demo(args) => roles::demo::run(&args),
        Role::Run(args) => roles::run::run(&args),
        Role::Hub(args) => roles::hub::run(&args),
        Role::Backup(args) => roles::backup::run(&args),
        Role::Recover(args) => roles::recover::run(&args),
        Role::Files(args) => roles::files::run(&args),
        Role::Check(args) => roles::check::run(&args),
        Role::Meter(args) => roles::meter::run(&args),
        Role::Declare(args) => roles::declare::run(&args),
        Role::Context(args) => roles::context::run(&args),
        Role::Baseline(args) => roles::baseline::run(&args),
        Role::Read(args) => roles::read::run(&args),
        Role::Scan(args) => roles::scan::run(&args),
        Role::Survey(args) => roles::survey::run(&args),
        Role::Import(args) => roles::import::run(&args),
        Role::Replay(args) => roles::replay::run(&args),
        Role::Kpi(args) => roles::kpi::run(&args),
        Role::Reference(args) => roles::reference::run(&args),
        Role::Egress(args) => roles::egress::run(&args),
        Role::Key(args) => roles::key::run(&args),
        Role::Verify(args) => roles::verify::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        use std::io::Write;
        // Standard error is the last place left to report to.
        let _ = writeln!(std::io::stderr(), "parkgate: {error:#}");
        ExitCode::FAILURE
    })
}
