//! `process`: an operator written by hand, embedded in the graph.

use std::sync::Arc;

use crate::dsl::builder::NodeSpec;
use crate::dsl::kstream::{KStream, Processed};
use crate::processor::{Context, ProcessError, Processor, ProcessorSupplier, PunctuationClock, Schedule};
use crate::record::{Record, Timestamp, millis};
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Lifecycle, Outlet};
use crate::topology::{Role, TaskContext};

struct Embedded<P, K2, V2> {
    processor: P,
    outlet: Outlet<K2, V2>,
    schedules: Vec<Due>,
}

/// A schedule and when it is due next; `None` until its clock is known.
struct Due {
    schedule: Schedule,
    next: Option<Timestamp>,
}

impl Due {
    /// Whether the schedule fires now. Gaps fire once: what was missed is skipped.
    fn fires(&mut self, core: &TaskCore) -> Option<Timestamp> {
        let period = millis(self.schedule.period).max(1);
        let (now, first) = match self.schedule.clock {
            PunctuationClock::StreamTime if core.stream_time == Timestamp::MIN => return None,
            // Aligned to zero: the first multiple is due as soon as stream time is known.
            PunctuationClock::StreamTime => (core.stream_time, 0),
            PunctuationClock::WallClock => (core.now, core.now.as_millis() + period),
        };
        let next = *self.next.get_or_insert_with(|| Timestamp::from_millis(first));
        if now < next {
            return None;
        }
        let missed = (now.as_millis() - next.as_millis()) / period;
        self.next = Some(Timestamp::from_millis(next.as_millis() + (missed + 1) * period));
        Some(now)
    }
}

impl<P: Processor<K, V>, K: Data, V: Data> Forward<K, V> for Embedded<P, P::KeyOut, P::ValueOut> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.processor.process(record, &mut Context { core, outlet: &mut self.outlet })
    }
}

/// Gives `Embedded` a life cycle for one input type, which the trait `Processor` names and `Lifecycle` does not.
struct Typed<P, K, V, K2, V2>(Embedded<P, K2, V2>, std::marker::PhantomData<fn(K, V)>);

impl<P: Processor<K, V>, K: Data, V: Data> Forward<K, V> for Typed<P, K, V, P::KeyOut, P::ValueOut> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.forward(record, core)
    }
}

impl<P: Processor<K, V>, K: Data, V: Data> Lifecycle for Typed<P, K, V, P::KeyOut, P::ValueOut> {
    fn on_time(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Embedded { processor, outlet, schedules } = &mut self.0;
        for due in schedules {
            if let Some(at) = due.fires(core) {
                processor.punctuate(at, &mut Context { core, outlet })?;
            }
        }
        Ok(())
    }
}

pub(crate) fn process<'b, K: Data, V: Data, S: ProcessorSupplier<K, V>>(
    stream: KStream<'b, K, V>,
    name: &str,
    supplier: S,
) -> Processed<'b, S, K, V> {
    let stores = supplier.stores();
    let supplier = Arc::new(supplier);
    let processed = stream.builder.add(NodeSpec {
        name: Some(name.to_owned()),
        operator: "process",
        role: Role::Operator,
        parents: vec![stream.node],
        stores,
        instantiate: Arc::new(move |task, node| {
            let outlet = task.outlet(node);
            let mut schedules = Vec::new();
            let processor = supplier.create(&mut TaskContext { builder: task, schedules: &mut schedules });
            let schedules = schedules.into_iter().map(|schedule| Due { schedule, next: None }).collect();
            task.living_operator::<K, V>(node, Typed(Embedded { processor, outlet, schedules }, std::marker::PhantomData));
            Ok(())
        }),
    });
    KStream { key_changed: true, ..processed }
}
