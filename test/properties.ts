import fc from 'fast-check';

/** Properties are tried with the same values in each run. SEED draws others, and a failure prints its own. */
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.SEED ?? 1) });

export { fc };
