//! `dashboard`: the terminal dashboard.

use std::{path::PathBuf, time::Duration};

use dashboard::{Channel, Options, Screen, Target};
use tower::ServiceExt;

use crate::{
    files,
    output::age,
    remote::{self, InsecureArgs, RemoteArgs},
};

/// A screen to draw.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ScreenName {
    Summary,
    Monitor,
}

/// Arguments of `dashboard`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often machines are asked for what cannot be watched
    #[arg(short = 'd', long, value_name = "SPAN", default_value = "3s", value_parser = age::parse)]
    update_interval: Duration,
    /// Draw one moment into an SVG file instead
    #[arg(long, hide = true, value_name = "FILE")]
    screenshot: Option<PathBuf>,
    /// Screen to draw, with --screenshot
    #[arg(long, hide = true, value_enum, default_value = "summary")]
    screen: ScreenName,
    /// How long to watch before drawing, with --screenshot
    #[arg(long, hide = true, value_name = "SPAN", default_value = "10s", value_parser = age::parse)]
    after: Duration,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

/// Shows the dashboard.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    let targets: Vec<Target> = nodes
        .iter()
        .map(|node| {
            let service = node.channel().map_response(|answer| answer.map(tonic::body::Body::new));
            Target { name: node.name().to_owned(), channel: Channel::new(service) }
        })
        .collect();
    let options = Options { update_interval: arguments.update_interval, own_screen: false };
    remote::block_on(async {
        let Some(path) = &arguments.screenshot else {
            return Ok(dashboard::run(targets, options).await?);
        };
        let screen = match arguments.screen {
            ScreenName::Summary => Screen::Summary,
            ScreenName::Monitor => Screen::Monitor,
        };
        let picture =
            dashboard::screenshot(targets, options, screen, (140, 38), arguments.after).await?;
        files::write(path, picture.as_bytes(), 0o644)
    })
}
