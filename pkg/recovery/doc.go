// Package recovery brings a Kafka cluster back: it plans the change as data, journals every change before it is made,
// applies it step by step with a proof for each, and verifies what came of it. It refuses rather than guesses; what it
// refuses on is judged in package finding. The rules it keeps are docs/safety-contract.md.
package recovery
