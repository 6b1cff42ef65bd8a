//! Sets of leaf certificates that are kept while they are good and issued anew when they are not.

use pki::{Authority, ExtendedUsage, IssueError, System};
use resource::types::PemEncodedCertificateAndKey;

use super::leaf::{self, LeafPlan, Wanted};

/// Renews leaves at one moment, and remembers when the next one is due.
pub(crate) struct Renewal<'a> {
    authority: &'a Authority,
    now: i64,
    due: i64,
    /// Whether anything was issued.
    pub(crate) issued: bool,
}

impl<'a> Renewal<'a> {
    pub(crate) fn new(authority: &'a Authority, now: i64) -> Self {
        Self { authority, now, due: i64::MAX, issued: false }
    }

    /// Issues `present` anew unless it is good.
    pub(crate) fn renew(
        &mut self,
        present: &mut PemEncodedCertificateAndKey,
        wanted: &Wanted,
        usages: &[ExtendedUsage],
        life: i64,
    ) -> Result<(), IssueError> {
        match leaf::plan(present, self.authority.certificate(), wanted, self.now) {
            LeafPlan::Keep { until } => self.due = self.due.min(until),
            LeafPlan::Issue { reason } => {
                tracing::debug!(common_name = wanted.common_name, reason, "issue a certificate");
                *present =
                    leaf::issue_as(self.authority, wanted, usages, life, self.now, &mut System)?;
                self.due = self.due.min(self.now + life / 2);
                self.issued = true;
            }
        }
        Ok(())
    }

    /// When to look again.
    pub(crate) fn next(&self) -> runtime::controller::Next {
        match u64::try_from(self.due.saturating_sub(self.now)) {
            Ok(seconds) if self.due != i64::MAX => {
                runtime::controller::Next::After(std::time::Duration::from_secs(seconds.max(1)))
            }
            _ => runtime::controller::Next::OnChange,
        }
    }
}
