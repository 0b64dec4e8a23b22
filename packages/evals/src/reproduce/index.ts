export { type ReproductionReport, writeReproduction } from './report.ts';
export {
  isDone,
  type ReproducedPlace,
  type Role,
  readReproduction,
  roles,
  type ScoreGroup,
} from './reproduction.ts';
export { readWordings, type Wording, type Wordings, wordings } from './wordings.ts';
export { type WordsResult, wordsFolder, writeWordsResult } from './words-file.ts';
