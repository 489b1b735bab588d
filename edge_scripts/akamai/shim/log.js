export const logger = { log: (line) => console.log(line) };
