//! What the kernel's command line wants of the network.

use std::fs;

use ::network::cmdline::Cmdline;
use ::network::id;
use ::runtime::controller::{Controller, Input, Next, Output};
use boot::command_line::CommandLine;
use resource::network::{
    AddressSpecSpec, HostnameSpecSpec, LinkSpecSpec, LinkStatusSpec, OperatorSpecSpec,
    ResolverSpecSpec, RouteSpecSpec, TimeServerSpecSpec,
};

use super::NETWORK;
use super::machine_config::replace;
use super::source::is_physical;
use crate::Node;
use crate::plain::plain;

/// The arguments of the kernel's command line, which stays the same as long as the machine runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments(CommandLine);

impl Arguments {
    /// Those of this machine; none when the kernel is another system's.
    pub(super) fn of(node: &Node) -> Self {
        if node.platform.in_container() {
            return Self::default();
        }
        let line = fs::read_to_string(node.paths.at("/proc/cmdline")).unwrap_or_default();
        Self(CommandLine::from(line.as_str()))
    }

    fn read(&self, first: Option<&str>) -> (Cmdline, Vec<::network::cmdline::CmdlineError>) {
        let parameters = self.0.parameters().iter();
        let pairs = parameters
            .map(|found| (found.name.as_str(), found.value.as_deref().unwrap_or_default()));
        Cmdline::parse(pairs, first)
    }

    /// Whether some link gets its addresses from here.
    pub(super) fn has_addressing(&self) -> bool {
        // Which link it is makes no difference.
        self.read(Some("first")).0.has_addressing()
    }

    /// Whether the link is spoken of here, be it that it is to be left alone.
    pub(super) fn names(&self, link: &str) -> bool {
        let (cmdline, _) = self.read(None);
        self.ignores(link) || cmdline.links.iter().any(|found| found.name == link)
    }

    /// Whether the link is to be left alone.
    pub(super) fn ignores(&self, link: &str) -> bool {
        self.0.values("talos.network.interface.ignore").any(|ignored| ignored == link)
    }
}

/// Writes what the command line wants into its layer.
pub(super) fn cmdline(arguments: Arguments) -> impl Controller {
    let mut is_told = false;
    plain(
        "network.CmdlineConfigController",
        vec![Input::weak::<LinkStatusSpec>(NETWORK)],
        vec![
            Output::shared::<LinkSpecSpec>(),
            Output::shared::<AddressSpecSpec>(),
            Output::shared::<RouteSpecSpec>(),
            Output::shared::<OperatorSpecSpec>(),
            Output::shared::<HostnameSpecSpec>(),
            Output::shared::<ResolverSpecSpec>(),
            Output::shared::<TimeServerSpecSpec>(),
        ],
        move |context| {
            let links = context.list::<LinkStatusSpec>(NETWORK);
            let usable = links
                .iter()
                .filter(|link| is_physical(&link.spec) && !arguments.ignores(link.id()));
            let first = usable.min_by_key(|link| link.spec.index);
            let (wanted, errors) = arguments.read(first.map(resource::Resource::id));
            if first.is_some() && !is_told {
                is_told = true;
                for error in errors {
                    tracing::warn!("{error}");
                }
            }
            replace(context, wanted.links.into_iter().map(|spec| (spec.name.clone(), spec)))?;
            let address =
                |spec: AddressSpecSpec| (id::address(&spec.link_name, spec.address), spec);
            replace(context, wanted.addresses.into_iter().map(address))?;
            replace(context, wanted.routes.into_iter().map(|spec| (id::route(&spec), spec)))?;
            let operator = |spec| (id::operator(&spec), spec);
            replace(context, wanted.operators.into_iter().map(operator))?;
            replace(context, wanted.hostname.map(|spec| ("hostname".to_owned(), spec)))?;
            replace(context, wanted.resolvers.map(|spec| ("resolvers".to_owned(), spec)))?;
            replace(context, wanted.time_servers.map(|spec| ("timeservers".to_owned(), spec)))?;
            Ok(Next::OnChange)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_cut_as_the_kernel_cuts_it() {
        let line = "quiet ip=\"10.0.0.9:::24::eth1:off\" \"talos.hostname=w-1\" \
            talos.network.interface.ignore=eth5 -- ip=10.0.0.7:::24::eth2:off";
        let arguments = Arguments(CommandLine::from(line));
        let (cmdline, errors) = arguments.read(None);
        assert!(errors.is_empty(), "{errors:?}");
        let links: Vec<_> = cmdline.links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(links, ["eth1"]);
        assert_eq!(cmdline.hostname.map(|name| name.hostname), Some("w-1".to_owned()));
        assert!(arguments.has_addressing() && arguments.names("eth1") && arguments.names("eth5"));
        assert!(
            arguments.ignores("eth5") && !arguments.ignores("eth1") && !arguments.names("eth2")
        );
    }
}
