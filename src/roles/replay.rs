//! `parkgate replay`.

/// Arguments of `parkgate replay`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the role.
///
/// # Errors
/// What stopped it.
pub fn run(_args: &Args) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("not wired")
}
