import type { Markup } from './markup.ts';

export interface Column {
  readonly header: string;
  /** Numbers stand on the right. Default left. */
  readonly align?: 'left' | 'right';
}

/** Cells are plain text. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}

/** A plot, or a table alone, with what it says in words. */
export interface Panel {
  readonly title: string;
  /** What the panel shows. */
  readonly note: string;
  /** For pages. */
  readonly figure?: Markup;
  /** For Markdown: a block of it. */
  readonly chart?: string;
  /** The figures behind. */
  readonly table?: Table;
  /** Takes all the width of a page. */
  readonly isWide?: boolean;
  /** As tall as so many others. Default 1. */
  readonly height?: number;
}

/** A figure that is shown large. */
export interface Measure {
  readonly name: string;
  readonly value: string;
  readonly remark?: string;
}

/** The part of a report on one artifact, or on a sweep. */
export interface Section {
  readonly title: string;
  /** Undefined where nothing was judged. */
  readonly passed?: boolean;
  readonly verdict: string;
  /** Why it did not pass, a line each. */
  readonly failures: readonly string[];
  readonly measures: readonly Measure[];
  readonly panels: readonly Panel[];
  /** What was compared, and how it was made. */
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/**
 * A page, or a file of Markdown. It holds no time and no path of the machine: equal runs give equal bytes.
 */
export interface Report {
  readonly title: string;
  /** Of the plmpress that writes it. */
  readonly version: string;
  readonly sections: readonly Section[];
}
