"""The potential that ships with borarun, as reference."""
