//! Controllers whose run is one function without waiting: most of them.

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;

/// The function of a controller, which may keep something between its runs.
pub(crate) type Run = Box<dyn FnMut(&Context) -> Result<Next, ControllerError> + Send>;

/// A controller made of its declarations and one function.
pub struct Plain<F> {
    name: &'static str,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    run: F,
}

/// A controller made of its declarations and one function.
pub fn plain<F>(name: &'static str, inputs: Vec<Input>, outputs: Vec<Output>, run: F) -> Plain<F>
where
    F: FnMut(&Context) -> Result<Next, ControllerError> + Send + 'static,
{
    Plain { name, inputs, outputs, run }
}

impl<F> Controller for Plain<F>
where
    F: FnMut(&Context) -> Result<Next, ControllerError> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn inputs(&self) -> Vec<Input> {
        self.inputs.clone()
    }

    fn outputs(&self) -> Vec<Output> {
        self.outputs.clone()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        let result = (self.run)(context);
        Box::pin(std::future::ready(result))
    }
}
