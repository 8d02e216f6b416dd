//! What is made of the command line itself: completions for shells and the manual page.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::output::print;
use super::{Cli, Exit, Failure};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp completions bash > /etc/bash_completion.d/ipstamp
  ipstamp completions zsh > ~/.zfunc/_ipstamp")]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Prints completions.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ipstamp", &mut text);
    print(&text)?;
    Ok(Exit::Done)
}

/// Prints the manual page, with a section for each subcommand.
pub(super) fn man() -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Internal, error);
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(whole.clone()).render(&mut text).map_err(failed)?;
    for command in whole.get_subcommands() {
        let man = clap_mangen::Man::new(command.clone());
        text.extend(format!(".SH \"IPSTAMP {}\"\n", command.get_name().to_uppercase()).bytes());
        man.render_description_section(&mut text).map_err(failed)?;
        man.render_options_section(&mut text).map_err(failed)?;
    }
    print(&text)?;
    Ok(Exit::Done)
}
