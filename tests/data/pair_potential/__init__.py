"""A pair potential that is linear in its parameters: a third kind of potential, for a test."""
