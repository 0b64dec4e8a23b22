export {
  type AdvantageStatistics,
  type Advantages,
  type GroupAdvantageOptions,
  groupAdvantages,
  type RewardColumn,
} from './advantages.ts';
export { rlErrors } from './errors.ts';
