//! The core of the stateless operators: one function between an inlet and an outlet.

use std::sync::Arc;

use crate::dsl::builder::NodeSpec;
use crate::dsl::kstream::KStream;
use crate::processor::ProcessError;
use crate::record::Record;
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Outlet};
use crate::topology::Role;

/// What a transformation does with one record.
pub(crate) trait Step<K, V, K2, V2>:
    Fn(Record<K, V>, &Outlet<K2, V2>, &mut TaskCore) -> Result<(), ProcessError> + Send + Sync + 'static
{
}

impl<K, V, K2, V2, F> Step<K, V, K2, V2> for F where
    F: Fn(Record<K, V>, &Outlet<K2, V2>, &mut TaskCore) -> Result<(), ProcessError> + Send + Sync + 'static
{
}

struct Transform<F, K2, V2> {
    step: Arc<F>,
    outlet: Outlet<K2, V2>,
}

impl<K: Data, V: Data, K2: Data, V2: Data, F: Step<K, V, K2, V2>> Forward<K, V> for Transform<F, K2, V2> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        (self.step)(record, &self.outlet, core)
    }
}

/// Records a transformation.
pub(crate) fn transform<'b, K: Data, V: Data, K2: Data, V2: Data>(
    stream: KStream<'b, K, V>,
    operator: &'static str,
    step: impl Step<K, V, K2, V2>,
) -> KStream<'b, K2, V2> {
    let step = Arc::new(step);
    let next = stream.builder.add(NodeSpec {
        name: None,
        operator,
        role: Role::Operator,
        parents: vec![stream.node],
        stores: Vec::new(),
        instantiate: Arc::new(move |task, node| {
            let outlet = task.outlet::<K2, V2>(node);
            task.operator::<K, V>(node, Transform { step: Arc::clone(&step), outlet });
            Ok(())
        }),
    });
    KStream { key_changed: stream.key_changed, ..next }
}
